"""Streaming features of backbones that see each frame by itself, or with shifts."""

import tensorflow as tf
import tf_keras

from grw_tf.export.stream_states import StreamStates
from grw_tf.models.backbone import endpoints
from grw_tf.models.mobilenet_backbone import scaled
from grw_tf.models.tsm_backbone import FRAMES


class FrameFeatures:
    """Features of a stream's frames by any such backbone, by Keras' own graph.

    Args:
        model: A model of `build_model`.
        frames_per_step: Number of frames that a step takes; any number will do.
        unit: The value in 0..1 that 1 in the frames stands for.
    """

    def __init__(
        self, model: tf_keras.Model, frames_per_step: int, unit: float
    ) -> None:
        self._backbone = model.backbone
        self._unit = unit

    def __call__(self, image: tf.Tensor, states: StreamStates) -> tf.Tensor:
        """Returns features [frames, 1, 1, channels] of [frames, size, size, 3]."""
        found = endpoints(self._backbone, self._unit * image[:, None])["head"]
        return tf.squeeze(found, axis=1)


class MobileNetFeatures(FrameFeatures):
    """Features of a stream's frames by a MobileNetV3.

    Its Keras graph suits devices as it is: it has 4-D tensors and no states. TFLite
    folds batch normalization into its convolutions, and recognizes its hard swishes.

    Args: as `FrameFeatures`.
    """

    def __call__(self, image: tf.Tensor, states: StreamStates) -> tf.Tensor:
        """Returns features [frames, 1, 1, channels] of [frames, size, size, 3]."""
        return self._backbone.network(scaled(image, self._unit))["head"]


class ShiftedMobileNetFeatures(FrameFeatures):
    """Features of a stream's frames by a MobileNetV3 with temporal shifts.

    Its states are the channels that move from the last frame to the next.

    Args: as `FrameFeatures`.
    """

    def __call__(self, image: tf.Tensor, states: StreamStates) -> tf.Tensor:
        """Returns features [frames, 1, 1, channels] of [frames, size, size, 3]."""
        given = {
            name: states.get(name, spec.shape)
            for name, spec in self._backbone.state_specs(1).items()
        }
        found, new = self._backbone.network(
            {FRAMES: scaled(image, self._unit), **given}
        )
        states.new |= new
        return found["head"]
