"""Streaming features of any backbone that sees each frame by itself."""

import tensorflow as tf
import tf_keras

from grw_tf.export.stream_states import StreamStates
from grw_tf.models.backbone import endpoints


class FrameFeatures:
    """Features of a stream's frames, by Keras' own graph.

    Args:
        model: A model of `build_model` whose backbone sees frames one by one.
        frames_per_step: Number of frames that a step takes.
        unit: What 1 in the frames stands for, in 0..1.
    """

    def __init__(
        self, model: tf_keras.Model, frames_per_step: int, unit: float
    ) -> None:
        del frames_per_step
        self._backbone = model.backbone
        self._unit = unit

    def __call__(self, image: tf.Tensor, states: StreamStates) -> tf.Tensor:
        """Returns the features [frames, 1, 1, channels].

        Args:
            image: float32 [frames_per_step, size, size, 3].
            states: `StreamStates`, which are not needed.
        """
        del states
        return self._of(image)

    def _of(self, image):
        found = endpoints(self._backbone, self._unit * image[:, None])["head"]
        return tf.squeeze(found, axis=1)
