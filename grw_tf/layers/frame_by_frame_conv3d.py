"""A convolution over time and space as a sum of convolutions of frames."""

import tensorflow as tf
import tf_keras
from official.vision.modeling.layers import nn_layers


@tf_keras.utils.register_keras_serializable(package="grw_tf")
class FrameByFrameConv3D(nn_layers.Conv3D):
    """The Model Garden's 3-D convolution, computed with 2-D convolutions.

    A kernel of k frames is k kernels of one frame each, and the output is the sum of
    their 2-D convolutions, each shifted in time:

        y[t] = sum_i conv2d(x[stride * t + i - padding], kernel[i])

    TensorFlow has no depthwise 3-D convolution for CPUs. The Model Garden compiles
    every 3-D convolution with XLA instead, which runs depthwise ones on one core.
    Backward, the sum keeps no more than x itself.

    Convolutions with other groups than one or one a channel, with dilation or with
    different strides in height and width have no such sum: the Model Garden's operation
    computes them.

    Args, input shape, output shape, variables: as `nn_layers.Conv3D`.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        if not self._is_sum_over_frames(inputs):
            return super().call(inputs)
        y = self._sum_over_frames(inputs)
        if self.use_bias:
            y = tf.nn.bias_add(y, self.bias)
        y.set_shape(self.compute_output_shape(inputs.shape))
        return y if self.activation is None else self.activation(y)

    def _is_sum_over_frames(self, inputs):
        return (
            self.groups in (1, inputs.shape[-1])
            and set(self.dilation_rate) == {1}
            and self.strides[1] == self.strides[2]
            and self.data_format == "channels_last"
        )

    def _sum_over_frames(self, x):
        stride = self.strides[0]
        before, outputs = self._padding_and_outputs(tf.shape(x)[1])
        total = None
        for index, kernel in enumerate(tf.unstack(tf.cast(self.kernel, x.dtype))):
            # Output t takes frame stride * t + offset, frame t + shift of its phase.
            offset = index - before
            shift = offset // stride
            frames = x if stride == 1 else _every(x, offset - shift * stride, stride)
            if self.use_buffered_input:
                # All frames but a few are of the buffer.
                part = self._convolve(frames[:, shift : shift + outputs], kernel)
            else:
                # Convolved before they are shifted, the frames of all terms are one
                # tensor for the gradient to keep.
                part = _shifted(self._convolve(frames, kernel), shift, outputs)
            total = part if total is None else total + part
        return total

    def _padding_and_outputs(self, length):
        """Returns how many frames of zeros come before, and how many frames go out."""
        stride, kernel = self.strides[0], self.kernel_size[0]
        if self.padding == "valid" or self.use_buffered_input:
            return 0, (length - kernel) // stride + 1
        outputs = -(-length // stride)
        if self.padding == "causal":
            return kernel - 1, outputs
        return tf.maximum((outputs - 1) * stride + kernel - length, 0) // 2, outputs

    def _convolve(self, frames, kernel):
        """Convolves each frame of [batch, time, height, width, channels]."""
        padding = "VALID" if self.padding == "valid" else "SAME"
        stride = self.strides[1]
        shape = tf.shape(frames)
        x = tf.reshape(frames, tf.concat([[-1], shape[2:]], axis=0))
        x.set_shape((None, *frames.shape[2:]))
        if self.groups == 1:
            y = tf.nn.conv2d(x, kernel, stride, padding)
        else:
            multiplier = self.filters // self.groups
            kernel = tf.reshape(kernel, (*kernel.shape[:2], self.groups, multiplier))
            y = tf.nn.depthwise_conv2d(x, kernel, (1, stride, stride, 1), padding)
        return tf.reshape(y, tf.concat([shape[:2], tf.shape(y)[1:]], axis=0))


def _every(x, start, stride):
    """Returns x[:, start::stride]; of such a slice, XLA gets the gradient wrong."""
    return tf.gather(x, tf.range(start, tf.shape(x)[1], stride), axis=1)


def _shifted(x, shift, length):
    """Returns x[:, shift : shift + length], with zeros where x has no frames."""
    start = tf.maximum(shift, 0)
    stop = tf.clip_by_value(shift + length, start, tf.maximum(tf.shape(x)[1], start))
    kept = x[:, start:stop]
    before = tf.clip_by_value(-shift, 0, length)
    after = length - before - tf.shape(kept)[1]
    return tf.pad(kept, [[0, 0], [before, after], [0, 0], [0, 0], [0, 0]])
