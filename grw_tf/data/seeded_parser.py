"""The Model Garden's parsing of clips, with randomness that a key decides."""

import tensorflow as tf
from official.vision.dataloaders import video_input
from official.vision.ops import preprocess_ops_3d

KEY = "key"
"""Of the decoded tensors: int64 [2], what is random about a clip."""


class SeededParser(video_input.Parser):
    """Draws where a clip begins, its crop and its flip from the clip's key.

    They are drawn from the distributions of the Model Garden's parser, which draws from
    TensorFlow's global stream, so that a resumed training would see other clips. Its
    `aug_type` and `aug_random_rotation` still do.

    Args: see `official.vision.dataloaders.video_input.Parser`; what is read may say by
      `aug_random_flip` that clips are never flipped.
    """

    def __init__(self, input_params, *args, **kwargs):
        super().__init__(input_params, *args, **kwargs)
        # The Model Garden's config has no such key, and clips are flipped.
        self._random_flip = getattr(input_params, "aug_random_flip", True)

    def _parse_train_data(self, decoded_tensors):
        seeds = tf.unstack(tf.random.split(decoded_tensors[KEY], 4))
        frames = self._sample(decoded_tensors[self._image_key], *seeds[:2])
        if frames.dtype == tf.string:
            frames = preprocess_ops_3d.decode_image(frames, self._num_channels)
        frames = self._crop(frames, seeds[2])
        if self._random_flip:
            flipped = tf.random.stateless_uniform((), seeds[3]) < 0.5
            frames = tf.cond(
                flipped, lambda: tf.image.flip_left_right(frames), lambda: frames
            )
        if self._random_rotation:
            frames = preprocess_ops_3d.random_rotation(frames)
        if self._augmenter is not None:
            frames = self._augmenter.distort(frames)
        frames = preprocess_ops_3d.normalize_image(frames, self._zero_centering_image)
        label = video_input.process_label(
            decoded_tensors[self._label_key],
            self._one_hot_label,
            self._num_classes,
            self._label_dtype,
        )
        return {"image": tf.cast(frames, self._dtype)}, label

    def _sample(self, frames, stride_seed, offset_seed):
        """Takes frames from a random one on, from the start again after the last."""
        stride = self._stride
        if self._random_stride_range:
            stride = tf.random.stateless_uniform(
                (),
                stride_seed,
                max(stride - self._random_stride_range, 1),
                stride + self._random_stride_range,
                tf.int32,
            )
        length = tf.shape(frames)[0]
        spare = length - (self._num_frames - 1) * stride
        offset = tf.random.stateless_uniform(
            (), offset_seed, 0, tf.where(spare > 0, spare, length), tf.int32
        )
        return tf.gather(
            frames, (offset + stride * tf.range(self._num_frames)) % length
        )

    def _crop(self, frames, seed):
        shape = tf.shape(frames)
        height, width = (
            self._crop_size
            if isinstance(self._crop_size, tuple)
            else (self._crop_size, self._crop_size)
        )
        factor = width / height
        begin, size, _ = tf.image.stateless_sample_distorted_bounding_box(
            shape[1:],
            bounding_boxes=tf.constant([[[0.0, 0.0, 1.0, 1.0]]]),
            seed=seed,
            min_object_covered=0.1,
            aspect_ratio_range=(
                self._min_aspect_ratio * factor,
                self._max_aspect_ratio * factor,
            ),
            area_range=(self._min_area_ratio, self._max_area_ratio),
            max_attempts=100,
            use_image_if_no_bounding_boxes=True,
        )
        cropped = tf.slice(
            frames,
            tf.stack([0, begin[0], begin[1], 0]),
            tf.stack([shape[0], size[0], size[1], shape[3]]),
        )
        resized = tf.cast(tf.image.resize(cropped, (height, width)), frames.dtype)
        return tf.ensure_shape(
            resized, (self._num_frames, height, width, self._num_channels)
        )
