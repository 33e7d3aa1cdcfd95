"""Features of a whole clip by a 3-D ResNet of one pathway, rewritten for devices."""

import tensorflow as tf
import tf_keras

from grw_tf.export.clip_residual_blocks import ClipStem, clip_blocks


class ResNetClipFeatures:
    """Features of a clip by a SlowOnly or a channel-separated network.

    Args:
        model: A model of `build_model`.
        frames: Number of frames of a clip; any number will do.
        unit: The value in 0..1 that 1 in the frames stands for.
    """

    def __init__(self, model: tf_keras.Model, frames: int, unit: float) -> None:
        del frames
        convolution, norm = (
            next(layer for layer in model.backbone.layers if isinstance(layer, kind))
            for kind in (tf_keras.layers.Conv3D, tf_keras.layers.BatchNormalization)
        )
        self._stem = ClipStem(model.config.backbone, convolution, norm, unit)
        self._blocks = clip_blocks(model.backbone, model.config.backbone)

    def __call__(self, image: tf.Tensor) -> tf.Tensor:
        """Returns features [time, 1, 1, channels] of [frames, size, size, 3]."""
        x = self._stem(image)
        for block in self._blocks.values():
            x = block(x)
        return tf.reduce_mean(x, (1, 2), keepdims=True)
