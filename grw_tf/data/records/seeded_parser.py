"""Parses clips as the Model Garden does, with the frame geometry of this project.

The key of a training clip decides all its random choices.
"""

from typing import Any

import tensorflow as tf
from official.vision.dataloaders import video_input
from official.vision.ops import preprocess_ops_3d

from grw_tf.frames import tensor_preparation
from grw_tf.frames.geometry import FrameGeometry

KEY = "key"
"""Key of a decoded tensor, int64 [2]: the seed of the random choices of a clip."""


class SeededParser(video_input.Parser):
    """Draws the start, crop and flip of a clip from its key.

    The distributions are those of the Model Garden's parser. That parser draws from
    TensorFlow's global stream, so resumed training would see other clips. `aug_type`
    and `aug_random_rotation` still draw from it.

    Unlike the Model Garden's parser, this one prepares frames by the geometry of the
    model, and repeats the last frame of a clip that is too short instead of starting
    over. With `is_multilabel`, labels are float32 [classes], 1 for the clip's classes
    and 0 for the others, also for a single class.

    Args:
        input_params: The data config. Its `aug_random_flip` may switch flips off.
        geometry: Frame geometry of the model, of the size in `feature_shape`.
        **kwargs: See `official.vision.dataloaders.video_input.Parser`.
    """

    def __init__(self, input_params: Any, geometry: FrameGeometry, **kwargs: Any):
        super().__init__(input_params, **kwargs)
        self._geometry = geometry
        # The Model Garden's config has no such key, and its clips are flipped.
        self._random_flip = getattr(input_params, "aug_random_flip", True)
        self._several_labels = input_params.is_multilabel

    def _parse_train_data(self, decoded_tensors):
        seeds = tf.unstack(tf.random.split(decoded_tensors[KEY], 4))
        frames = self._sample(decoded_tensors[self._image_key], *seeds[:2])
        frames = tensor_preparation.random_crop(
            tensor_preparation.decoded(frames),
            self._geometry,
            seeds[2],
            (self._min_aspect_ratio, self._max_aspect_ratio),
            (self._min_area_ratio, self._max_area_ratio),
        )
        if self._random_flip:
            flipped = tf.random.stateless_uniform((), seeds[3]) < 0.5
            frames = tf.cond(
                flipped, lambda: tf.image.flip_left_right(frames), lambda: frames
            )
        if self._random_rotation:
            frames = preprocess_ops_3d.random_rotation(frames)
        if self._augmenter is not None:
            frames = self._augmenter.distort(frames)
        return self._features(frames), self._label(decoded_tensors)

    def _parse_eval_data(self, decoded_tensors):
        frames = tensor_preparation.view_frames(
            decoded_tensors[self._image_key],
            self._geometry,
            self._num_frames,
            self._stride,
            self._num_test_clips,
            self._num_crops,
        )
        return self._features(frames), self._label(decoded_tensors)

    def _sample(self, frames, stride_seed, start_seed):
        """Takes frames from a random start on, from the first if there are too few."""
        stride = self._stride
        if self._random_stride_range:
            stride = tf.random.stateless_uniform(
                (),
                stride_seed,
                max(stride - self._random_stride_range, 1),
                stride + self._random_stride_range,
                tf.int32,
            )
        starts = tf.shape(frames)[0] - (self._num_frames - 1) * stride
        start = tf.random.stateless_uniform(
            (), start_seed, 0, tf.maximum(starts, 1), tf.int32
        )
        return tensor_preparation.frames_from(frames, start, self._num_frames, stride)

    def _features(self, frames):
        pixels = preprocess_ops_3d.normalize_image(frames, self._zero_centering_image)
        return {"image": tf.cast(pixels, self._dtype)}

    def _label(self, decoded_tensors):
        labels = decoded_tensors[self._label_key]
        if self._several_labels:
            # The Model Garden's function inverts the labels of a single class.
            of_classes = tf.one_hot(tf.reshape(labels, (-1,)), self._num_classes)
            return tf.minimum(tf.reduce_sum(of_classes, axis=0), 1.0)
        return video_input.process_label(
            labels,
            self._one_hot_label,
            self._num_classes,
            self._label_dtype,
        )
