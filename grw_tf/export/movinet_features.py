"""Streaming features of a MoViNet, rewritten for devices.

They equal those of the model's streaming view with the same weights, but have

- 4-D tensors at most, even with `3d` and `3d_2plus1d` convolutions;
- states that stay bounded: running means instead of sums, so that nothing saturates,
  whatever the precision and however long the stream;
- everything linear folded into the convolutions: batch normalization, the slope, offset
  and scale of the gates, the residual's factor, the bytes' 1/255;
- no buffers of frames to shift: for each of the next frames, a temporal convolution
  keeps the part of its sum that is known (the transposed form of an FIR filter).
"""

import numpy as np
import tensorflow as tf
import tf_keras
from official.modeling import tf_utils
from official.projects.movinet.modeling import movinet

from grw_tf.export.folded_weights import FoldedWeights
from grw_tf.export.stream_states import StreamStates
from grw_tf.models.block_specs import endpoint_names

FRAME_COUNT = "state_frame_count"

# Float32 cannot count further; from there on, a running mean forgets at this rate.
_MOST_FRAMES = 2**24

# A hard gate is relu6(slope x + 3) * scale, by name as (slope, scale).
_HARD_GATES = {
    "hard_sigmoid_keras": (1.2, 1 / 6),
    # The Model Garden's own rounding of 1/6.
    "hard_sigmoid_relu6": (1.0, 0.16667),
}


class MovinetFeatures:
    """Features of a stream's frames by a MoViNet, and logits of its official head.

    Args:
        model: A causal MoViNet of `build_model`.
        frames_per_step: Number of frames that a step takes.
        unit: The value in 0..1 that 1 in the frames stands for.
    """

    def __init__(
        self, model: tf_keras.Model, frames_per_step: int, unit: float
    ) -> None:
        self._frames_per_step = frames_per_step
        self._unit = unit
        self._pools_time = model.config.backbone_pools_time
        self._head_activation = model.config.head.activation
        self._config = model.config.backbone
        self._spec = movinet.BLOCK_SPECS[self._config.model_id]
        self._weights = FoldedWeights(model)

    def __call__(self, image: tf.Tensor, states: StreamStates) -> tf.Tensor:
        """Returns features [frames, 1, 1, channels] of [frames, size, size, 3].

        If the model pools over time, they are the mean [1, 1, 1, channels] of all
        frames up to the last.
        """
        self._count_frames(states)
        stem, *blocks, _ = self._spec
        names = iter(endpoint_names(self._config.model_id))
        name = next(names)
        with tf.name_scope(name):
            path, size, strides = f"{name}/_stem", stem.kernel_size, stem.strides
            x = self._convolution(image, states, name, path, size, strides, self._unit)
        for block in blocks:
            for size, strides in zip(block.kernel_sizes, block.strides, strict=True):
                name = next(names)
                with tf.name_scope(name):
                    x = self._block(x, states, name, size, strides)
        with tf.name_scope("head"):
            x = _conv2d(x, *self._weights.convolution("backbone/head/_project"))
            x = tf.reduce_mean(self._activate(x), (1, 2), keepdims=True)
            if self._pools_time:
                x = self._running_mean(x, states, "state_head_pool_mean")[-1:]
        return x

    def classify(self, features: tf.Tensor) -> tf.Tensor:
        """Returns the official head's logits [1, num_classes]."""
        x = _conv2d(features, *self._weights.pointwise("head/_head"))
        x = tf_utils.get_activation(self._head_activation, use_keras_layer=True)(x)
        x = _conv2d(x, *self._weights.pointwise("head/_classifier"))
        return tf.reshape(x, (1, -1))

    def _count_frames(self, states):
        count = states.get(FRAME_COUNT, (1,), states.count_dtype)
        self._indices = [count + index for index in range(self._frames_per_step)]
        new = tf.minimum(count + self._frames_per_step, _MOST_FRAMES)
        states.new[FRAME_COUNT] = new
        # Shares of frames in the mean of all frames up to them.
        self._shares = [1.0 / tf.cast(i + 1, tf.float32) for i in self._indices]

    def _block(self, inputs, states, name, size, strides):
        path = f"backbone/{name}"
        x = _conv2d(inputs, *self._weights.convolution(f"{path}/_expansion"))
        x = self._activate(x)
        x = self._convolution(x, states, name, f"{name}/_feature", size, strides)
        scale = 1.0
        if self._config.se_type != "none":
            with tf.name_scope("attention"):
                gate, scale = self._gate(x, states, name)
            x = x * gate
        residual = self._weights.scale(f"{path}/_mobile_bottleneck/_rezero")
        kernel, bias = self._weights.convolution(f"{path}/_projection")
        x = _conv2d(x, kernel * (scale * residual), bias * residual)
        skip = f"{path}/_skip/_projection"
        if skip in self._weights:
            if strides != (1, 1, 1):
                inputs = tf.nn.avg_pool2d(inputs, 3, 2, "SAME")
            inputs = _conv2d(inputs, *self._weights.convolution(skip))
        return x + inputs

    def _convolution(self, x, states, name, path, size, strides, unit=1.0):
        """Convolves over space and time, and activates; x is in units of `unit`."""
        path = f"backbone/{path}"
        time, height, width = size
        strides = strides[1:]
        if time == 1 or self._config.conv_type == "3d":
            kernel, bias = self._weights.convolution(path, size)
            taps = [_either_conv2d(x, tap * unit, strides) for tap in kernel[::-1]]
            now = self._tap_of_now(time)
            taps[now] = tf.nn.bias_add(taps[now], _constant(bias))
        else:
            kernel, bias = self._weights.convolution(path, (1, height, width))
            x = _either_conv2d(x, kernel[0] * unit, strides)
            x = self._activate(tf.nn.bias_add(x, _constant(bias)))
            kernel, bias = self._weights.convolution(path, (time, 1, 1), "_temporal")
            taps = [x * _constant(tap[0, 0, 0]) for tap in kernel[::-1]]
            now = self._tap_of_now(time)
            # A depthwise convolution adds the bias at no cost.
            same_frame = _either_conv2d(x, kernel[::-1][now], 1)
            taps[now] = tf.nn.bias_add(same_frame, _constant(bias))
        return self._activate(self._sum_over_time(taps, states, f"state_{name}_stream"))

    def _tap_of_now(self, count):
        """Returns which of a kernel's taps, the last first, is of the same frame."""
        del count
        return 0

    def _sum_over_time(self, taps, states, name):
        """Sums over frames, tap 0 of the same frame, tap 1 of the one before, ...

        Args:
            taps: Tensors [frames, height, width, channels].
            states: The stream's states, with the known parts of the next frames' sums.
            name: Prefix of the states' names.
        """
        names = [f"{name}_sum{index}" for index in range(1, len(taps))]
        shape = (1, *taps[0].shape[1:])
        sums = [states.get(name, shape) for name in names]
        sums += [None] * self._frames_per_step
        taps = [_frames(tap) for tap in taps]
        for frame in range(self._frames_per_step):
            for delay, tap in enumerate(taps):
                so_far = sums[frame + delay]
                part = tap[frame]
                sums[frame + delay] = part if so_far is None else so_far + part
        states.new |= zip(names, sums[self._frames_per_step :], strict=True)
        return _joined(sums[: self._frames_per_step])

    def _gate(self, x, states, name):
        """Returns the squeeze excitation's unscaled gate, and its scale."""
        path = f"backbone/{name}/_attention"
        x = tf.reduce_mean(x, (1, 2), keepdims=True)
        if self._config.se_type != "2d":
            mean = self._running_mean(x, states, f"state_{name}_pool_mean")
            both = self._config.se_type == "2plus3d"
            x = tf.concat([mean, x], -1) if both else mean
        if self._config.use_positional_encoding:
            weight = self._weights.scale(f"{path}/_pos_encoding/_rezero")
            x = x + self._positions(x.shape[-1]) * weight
        x = self._activate(_conv2d(x, *self._weights.pointwise(f"{path}/_se_reduce")))
        kernel, bias = self._weights.pointwise(f"{path}/_se_expand")
        if self._config.gating_activation == "sigmoid":
            return tf.sigmoid(_conv2d(x, kernel, bias)), 1.0
        slope, scale = _HARD_GATES[self._config.gating_activation]
        x = _conv2d(x, kernel * slope, bias * slope + 3.0)
        return tf.nn.relu6(x), scale

    def _running_mean(self, x, states, name):
        """Returns the means [frames, 1, 1, channels] of all frames up to each."""
        mean = states.get(name, (1, *x.shape[1:]))
        means = []
        for frame, share in zip(_frames(x), self._shares, strict=True):
            mean = mean + (frame - mean) * share
            means.append(mean)
        states.new[name] = mean
        return _joined(means)

    def _positions(self, channels):
        """Returns the Model Garden's encodings [frames, 1, 1, channels] of positions.

        They use the same operations, because rounding matters at large positions.
        """
        pairs = _constant(2 * (np.arange(channels) // 2))
        angles = 1.0 / tf.math.pow(10_000.0, pairs / float(channels))
        # Not by [:, None], a slice of a vector, which GPU delegates do not list.
        positions = tf.reshape(tf.cast(_joined(self._indices), tf.float32), (-1, 1))
        encoding = tf.concat(
            [tf.sin(positions * angles[0::2]), tf.cos(positions * angles[1::2])],
            axis=-1,
        )
        return tf.reshape(encoding, (self._frames_per_step, 1, 1, channels))

    def _activate(self, x):
        return tf_utils.get_activation(self._config.activation, use_keras_layer=True)(x)


def _conv2d(x, kernel, bias):
    """Convolves with a kernel [1, 1, 1, inputs, outputs]."""
    x = tf.nn.conv2d(x, _constant(kernel[0]), 1, "SAME")
    return tf.nn.bias_add(x, _constant(bias))


def _either_conv2d(x, kernel, strides):
    """Convolves [frames, height, width, channels]; depthwise if the kernel is."""
    height, width, inputs, outputs = kernel.shape
    strides = (strides, strides) if isinstance(strides, int) else strides
    if inputs == x.shape[-1]:
        return tf.nn.conv2d(x, _constant(kernel), strides, "SAME")
    kernel = kernel.reshape(height, width, outputs, 1)
    return tf.nn.depthwise_conv2d(x, _constant(kernel), (1, *strides, 1), "SAME")


def _constant(array):
    return tf.constant(array, tf.float32)


def _frames(x):
    count = x.shape[0]
    return [x] if count == 1 else tf.split(x, count)


def _joined(frames):
    return frames[0] if len(frames) == 1 else tf.concat(frames, axis=0)
