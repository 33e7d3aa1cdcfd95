"""Stem and residual blocks of 3-D ResNets, rewritten for devices."""

from typing import Any

import tensorflow as tf
import tf_keras
from official.modeling import tf_utils

from grw_tf.export.clip_convolution import ClipConvolution
from grw_tf.models.backbone import residual_blocks
from grw_tf.models.config import BackboneConfig


class ClipBlock:
    """A residual block on the frames of a clip, which take the place of the batch.

    Args:
        name: Name of the block.
        block: The layer, of `grw_tf.layers`.
    """

    def __init__(self, name: str, block: Any) -> None:
        self._name = name
        self._branch = [(ClipConvolution(c, n), a) for c, n, a in block.branch]
        self._shortcut = block.shortcut and ClipConvolution(*block.shortcut[:2])
        self._activate = tf_utils.get_activation(block.activation, use_keras_layer=True)

    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the block's [frames, height, width, channels] of such an input."""
        with tf.name_scope(self._name):
            *earlier, (last, _) = self._branch
            x = inputs
            for convolution, activated in earlier:
                x = convolution(x)
                x = self._activate(x) if activated else x
            shortcut = self._shortcut(inputs) if self._shortcut else inputs
            return self._activate(last(x) + shortcut)


def clip_blocks(
    backbone: tf_keras.Model, config: BackboneConfig
) -> dict[str, ClipBlock]:
    """Returns the blocks of a built backbone by name, in the network's order."""
    return {
        block.name: ClipBlock(block.name, block.layer)
        for block in residual_blocks(backbone, config)
    }


class ClipStem:
    """The stem of a 3-D ResNet on frames, with the conventions of its implementation.

    Args:
        config: The backbone's config.
        convolution: The stem's convolution.
        norm: Its batch normalization.
        unit: The value in 0..1 that 1 in the frames stands for.
    """

    def __init__(
        self,
        config: BackboneConfig,
        convolution: tf_keras.layers.Conv3D,
        norm: tf_keras.layers.BatchNormalization,
        unit: float,
    ) -> None:
        self._conventions = config.conventions
        self._unit = None
        if self._conventions.normalizes_frames:
            self._unit, unit = unit, 1.0
        self._convolution = ClipConvolution(convolution, norm, unit)

    def __call__(self, frames: tf.Tensor) -> tf.Tensor:
        """Returns the pooled features of frames [frames, height, width, 3]."""
        with tf.name_scope("stem"):
            if self._unit:
                frames = self._conventions.normalize(frames * self._unit)
            x = tf.nn.relu(self._convolution(frames))
            if not self._conventions.pads_symmetrically:
                return tf.nn.max_pool2d(x, 3, 2, "SAME")
            # After a ReLU, zeros beyond the frame win over no value.
            x = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
            return tf.nn.max_pool2d(x, 3, 2, "VALID")
