"""Features of a whole clip by a SlowOnly, rewritten for devices.

No tensor has more than four axes: frames take the place of the batch. A kernel of three
frames convolves each frame with its neighbors as further channels, and batch
normalization is folded into the convolutions.
"""

import numpy as np
import tensorflow as tf
import tf_keras
from official.modeling import tf_utils

from grw_tf.export.frame_offsets import at_offset, offsets
from grw_tf.layers.residual_blocks_3d import BottleneckBlock3D
from grw_tf.models.backbone import residual_blocks


class SlowOnlyClipFeatures:
    """Features of all frames of a clip by a SlowOnly.

    Args:
        model: A SlowOnly of `build_model`.
        frames: Number of frames of a clip; any number will do.
        unit: The value in 0..1 that 1 in the frames stands for.
    """

    def __init__(self, model: tf_keras.Model, frames: int, unit: float) -> None:
        del frames
        config = model.config.backbone
        self._activate = tf_utils.get_activation(
            config.activation, use_keras_layer=True
        )
        convolution, norm = (
            next(layer for layer in model.backbone.layers if isinstance(layer, kind))
            for kind in (tf_keras.layers.Conv3D, tf_keras.layers.BatchNormalization)
        )
        self._stem = _Convolution(convolution, norm, unit)
        self._blocks = [
            (block.name, *_folded(block.layer))
            for block in residual_blocks(model.backbone, config)
        ]

    def __call__(self, image: tf.Tensor) -> tf.Tensor:
        """Returns features [frames, 1, 1, channels] of [frames, size, size, 3]."""
        with tf.name_scope("stem"):
            x = tf.nn.max_pool2d(self._activate(self._stem(image)), 3, 2, "SAME")
        for name, convolutions, shortcut in self._blocks:
            with tf.name_scope(name):
                inputs = x
                for index, convolution in enumerate(convolutions):
                    x = convolution(self._activate(x) if index else x)
                x = self._activate(x + (shortcut(inputs) if shortcut else inputs))
        return tf.reduce_mean(x, (1, 2), keepdims=True)


class _Convolution:
    """A convolution in time and space with the batch normalization after it."""

    def __init__(self, convolution, norm, unit=1.0):
        gamma, beta, mean, variance = (
            weight.numpy().astype(np.float64)
            for weight in (
                *(norm.gamma, norm.beta),
                *(norm.moving_mean, norm.moving_variance),
            )
        )
        scale = gamma / np.sqrt(variance + norm.epsilon)
        kernel = convolution.kernel.numpy() * (scale * unit)
        self._offsets = offsets(len(kernel))
        self._kernel = np.concatenate(kernel, axis=2)
        self._bias = beta - mean * scale
        self._strides = convolution.strides[1:]

    def __call__(self, x):
        """Convolves [frames, height, width, channels]."""
        neighbors = [at_offset(x, offset) for offset in self._offsets]
        x = neighbors[0] if len(neighbors) == 1 else tf.concat(neighbors, -1)
        kernel = tf.constant(self._kernel, tf.float32)
        x = tf.nn.conv2d(x, kernel, self._strides, "SAME")
        return tf.nn.bias_add(x, tf.constant(self._bias, tf.float32))


def _folded(block):
    """Returns a residual block's convolutions, and that of its shortcut or None."""
    if isinstance(block, BottleneckBlock3D):
        layers = [
            (block._temporal_conv, block._norm1),
            (block._spatial_conv, block._norm2),
            (block._expand_conv, block._norm3),
        ]
        # It is there even if it is not used.
        changes = block._shortcut_conv.built
    else:
        layers = [(block._conv1, block._norm1), (block._conv2, block._norm2)]
        changes = block._shortcut_conv is not None
    shortcut = _Convolution(block._shortcut_conv, block._norm0) if changes else None
    return [_Convolution(*layer) for layer in layers], shortcut
