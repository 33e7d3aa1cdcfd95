"""A convolution of a clip in time and space, rewritten for devices."""

import numpy as np
import tensorflow as tf
import tf_keras

from grw_tf.export.frame_offsets import at_offset, every


class ClipConvolution:
    """A 3-D convolution and the batch normalization after it, on 4-D tensors.

    Frames take the place of the batch. A kernel of several frames convolves each frame
    with its neighbors as further channels, or is a sum over neighbors if it is
    depthwise. Batch normalization is folded into the kernel.

    Args:
        convolution: The built convolution, depthwise or without groups. Its padding in
            space is "same".
        norm: The batch normalization.
        unit: The value that 1 in the frames stands for.
        frames_before: Frames of padding before the clip and after it; None for those
            of the padding "same".
    """

    def __init__(
        self,
        convolution: tf_keras.layers.Conv3D,
        norm: tf_keras.layers.BatchNormalization,
        unit: float = 1.0,
        frames_before: int | None = None,
    ) -> None:
        gamma, beta, mean, variance = (
            weight.numpy().astype(np.float64)
            for weight in (
                *(norm.gamma, norm.beta),
                *(norm.moving_mean, norm.moving_variance),
            )
        )
        scale = gamma / np.sqrt(variance + norm.epsilon)
        self._kernel = convolution.kernel.numpy() * (scale * unit)
        self._bias = beta - mean * scale
        self._stride, *self._strides = convolution.strides
        self._is_depthwise = convolution.groups > 1
        self._frames_before = frames_before

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        """Convolves [frames, height, width, channels]."""
        before = self._frames_before
        if before is None:
            before = self._same_padding(x.shape[0])
        neighbors = [
            every(at_offset(x, tap - before), self._stride)
            for tap in range(len(self._kernel))
        ]
        convolve = self._depthwise if self._is_depthwise else self._dense
        bias = tf.constant(self._bias, tf.float32)
        return tf.nn.bias_add(convolve(neighbors), bias)

    def _same_padding(self, frames):
        outputs = -(-frames // self._stride)
        padding = (outputs - 1) * self._stride + len(self._kernel) - frames
        return max(padding, 0) // 2

    def _dense(self, neighbors):
        x = neighbors[0] if len(neighbors) == 1 else tf.concat(neighbors, -1)
        kernel = tf.constant(np.concatenate(self._kernel, axis=2), tf.float32)
        return tf.nn.conv2d(x, kernel, self._strides, "SAME")

    def _depthwise(self, neighbors):
        parts = [
            tf.nn.depthwise_conv2d(
                x,
                tf.constant(kernel.swapaxes(2, 3), tf.float32),
                (1, *self._strides, 1),
                "SAME",
            )
            for x, kernel in zip(neighbors, self._kernel, strict=True)
        ]
        return sum(parts[1:], parts[0])
