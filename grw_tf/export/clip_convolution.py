"""A convolution of a clip in time and space, rewritten for devices."""

import numpy as np
import tensorflow as tf
import tf_keras

from grw_tf.export.frame_offsets import at_offset, every


class ClipConvolution:
    """A 3-D convolution and a batch normalization after it, on 4-D tensors.

    Frames take the place of the batch. A kernel of several frames convolves each frame
    with its neighbors as further channels, or is a sum over neighbors if it is
    depthwise. Batch normalization is folded into the kernel.

    Args:
        convolution: The built convolution, depthwise or without groups. Its padding in
            space is "same" or that of `grw_tf.layers.symmetric_padding`.
        norm: The batch normalization, None if there is none.
        unit: The value that 1 in the frames stands for.
        frames_before: Frames of padding before the clip and after it; None for those
            of the convolution's own padding.
    """

    def __init__(
        self,
        convolution: tf_keras.layers.Conv3D,
        norm: tf_keras.layers.BatchNormalization | None,
        unit: float = 1.0,
        frames_before: int | None = None,
    ) -> None:
        scale, self._bias = 1.0, None
        if norm is not None:
            scale, self._bias = _scale_and_bias(norm)
        self._kernel = convolution.kernel.numpy() * (scale * unit)
        self._stride, *self._strides = convolution.strides
        self._is_depthwise = convolution.groups > 1
        self._frames_before, self._around, self._padding = frames_before, None, "SAME"
        margins = getattr(convolution, "margins", None)
        if margins:
            self._frames_before, *both = margins
            self._around = [[0, 0], *([margin, margin] for margin in both), [0, 0]]
            self._padding = "VALID"

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        """Convolves [frames, height, width, channels]."""
        before = self._frames_before
        if before is None:
            before = self._same_padding(x.shape[0])
        if self._around:
            x = tf.pad(x, self._around)
        neighbors = [
            every(at_offset(x, tap - before), self._stride)
            for tap in range(len(self._kernel))
        ]
        convolve = self._depthwise if self._is_depthwise else self._dense
        x = convolve(neighbors)
        if self._bias is None:
            return x
        return tf.nn.bias_add(x, tf.constant(self._bias, tf.float32))

    def _same_padding(self, frames):
        outputs = -(-frames // self._stride)
        padding = (outputs - 1) * self._stride + len(self._kernel) - frames
        return max(padding, 0) // 2

    def _dense(self, neighbors):
        x = neighbors[0] if len(neighbors) == 1 else tf.concat(neighbors, -1)
        kernel = tf.constant(np.concatenate(self._kernel, axis=2), tf.float32)
        return tf.nn.conv2d(x, kernel, self._strides, self._padding)

    def _depthwise(self, neighbors):
        parts = [
            tf.nn.depthwise_conv2d(
                x,
                tf.constant(kernel.swapaxes(2, 3), tf.float32),
                (1, *self._strides, 1),
                self._padding,
            )
            for x, kernel in zip(neighbors, self._kernel, strict=True)
        ]
        return sum(parts[1:], parts[0])


def _scale_and_bias(norm):
    """Returns by what a batch normalization multiplies, and what it then adds."""
    gamma, beta, mean, variance = (
        weight.numpy().astype(np.float64)
        for weight in (norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance)
    )
    scale = gamma / np.sqrt(variance + norm.epsilon)
    return scale, beta - mean * scale
