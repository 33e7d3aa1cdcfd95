"""A model's streaming view, rewritten for devices.

It gives the numbers of `grw_tf.models.StreamingModel` from the same weights, but

- of 4-D tensors at most, time in the place of the batch, for GPU delegates take no
  more;
- with states that stay bounded: running means instead of sums, so that nothing
  saturates, whatever the precision and however long the stream;
- with all that is linear folded into the convolutions: batch normalisation, the slope,
  offset and scale of the gates, the residual's factor, the bytes' 1/255;
- without buffers of frames to shift: a temporal convolution keeps, for each frame to
  come, the part of its sum that is known (the transposed form of an FIR filter).
"""

import numpy as np
import tensorflow as tf
from official.modeling import tf_utils
from official.projects.movinet.modeling import movinet

from grw_tf.export.folded_weights import FoldedWeights
from grw_tf.export.stream_states import StreamStates
from grw_tf.models.block_specs import endpoint_names
from grw_tf.models.inputs import check_states
from grw_tf.models.streaming import STATE_PREFIX, check_causal, head_states

FRAME_COUNT = "state_frame_count"
IMAGE_DTYPES = ("uint8", "float32")

# Beyond it float32 counts no further; a running mean forgets at this rate from there.
_MOST_FRAMES = 2**24

# A hard gate is relu6(slope x + 3) * scale, by name as (slope, scale).
_HARD_GATES = {
    "hard_sigmoid_keras": (1.2, 1 / 6),
    # The Model Garden's own rounding of 1/6.
    "hard_sigmoid_relu6": (1.0, 0.16667),
}


class StreamingNetwork:
    """Steps of a stream of one video, in float32.

    Args:
      model: a causal model of `build_model`.
      frames_per_step: how many frames a step takes.
      image_dtype: "uint8" for frames in 0..255, "float32" for frames in 0..1.

    Raises:
      ValueError: if the model is not causal or not float32, or an argument is unknown.
    """

    def __init__(self, model, frames_per_step=1, image_dtype="uint8"):
        check_causal(model.config)
        _check(model, frames_per_step, image_dtype)
        self.model = model
        self.frames_per_step = frames_per_step
        self.image_dtype = image_dtype
        self._config = model.config.backbone
        self._spec = movinet.BLOCK_SPECS[self._config.model_id]
        self._weights = FoldedWeights(model)
        self._official = model.config.head.type == "official"
        self._specs = self._find_states()

    @property
    def image_spec(self):
        """The spec of the frames [frames_per_step, size, size, 3]."""
        size = self.model.config.size
        shape = (self.frames_per_step, size, size, 3)
        return tf.TensorSpec(shape, self.image_dtype, "image")

    @property
    def signatures(self):
        """What can be called: "step", and "classify" if steps give no logits."""
        on_demand = self.model.config.head.type == "transformer"
        return ["step", "classify"] if on_demand else ["step"]

    def state_specs(self):
        """Returns the states as a dict of `tf.TensorSpec`s; all start at zero."""
        return dict(self._specs)

    def step(self, image, states):
        """Takes in the next frames.

        Args:
          image: as `image_spec`.
          states: as the last step returned them, or zeros.

        Returns:
          (logits [1, num_classes] after the last frame, or None for the "transformer"
          head, which gives them on demand; the new states).
        """
        check_states(states, self._specs)
        kept = StreamStates(states)
        x = self._backbone(image, kept)
        if self._official:
            return self._official_head(x), kept.new
        z = self.model.affine(tf.reshape(x, (1, x.shape[0], x.shape[-1])))
        logits, new = self.model.head.update(z, head_states(states))
        return logits, kept.new | _prefixed(new)

    def classify(self, states):
        """Returns the logits [1, num_classes] of a "transformer" head's states."""
        return self.model.head.classify(head_states(states))

    def classify_specs(self):
        """Returns the specs of the states that `classify` looks at."""
        return {n: s for n, s in self._specs.items() if n.startswith(STATE_PREFIX)}

    def _find_states(self):
        found = StreamStates()
        trace = tf.function(lambda image: self._backbone(image, found), autograph=False)
        trace.get_concrete_function(self.image_spec)
        if self._official:
            return found.specs
        return found.specs | _prefixed(self.model.head.state_specs(batch_size=1))

    def _backbone(self, image, states):
        """Returns the features [frames, 1, 1, channels], of the last frame alone for
        the official head, which pools over time."""
        self._count_frames(states)
        stem, *blocks, _ = self._spec
        names = iter(endpoint_names(self._config.model_id))
        name = next(names)
        unit = 1 / 255 if self.image_dtype == "uint8" else 1.0
        x = tf.cast(image, tf.float32)
        with tf.name_scope(name):
            x = self._convolution(
                x, states, name, f"{name}/_stem", stem.kernel_size, stem.strides, unit
            )
        for block in blocks:
            for size, strides in zip(block.kernel_sizes, block.strides, strict=True):
                name = next(names)
                with tf.name_scope(name):
                    x = self._block(x, states, name, size, strides)
        kernel, bias = self._weights.convolution("backbone/head/_project", (1, 1, 1))
        with tf.name_scope("head"):
            x = self._activate(_conv2d(x, kernel[0], bias))
            x = tf.reduce_mean(x, (1, 2), keepdims=True)
            if self._official:
                x = self._running_mean(x, states, "state_head_pool_mean")[-1:]
        return x

    def _count_frames(self, states):
        count = states.get(FRAME_COUNT, (1,), tf.int32)
        self._indices = [count + index for index in range(self.frames_per_step)]
        new = tf.minimum(count + self.frames_per_step, _MOST_FRAMES)
        states.new[FRAME_COUNT] = new
        # Of each frame in the mean of all up to it.
        self._shares = [1.0 / tf.cast(i + 1, tf.float32) for i in self._indices]

    def _block(self, inputs, states, name, size, strides):
        path = f"backbone/{name}"
        kernel, bias = self._weights.convolution(f"{path}/_expansion", (1, 1, 1))
        x = self._activate(_conv2d(inputs, kernel[0], bias))
        x = self._convolution(x, states, name, f"{name}/_feature", size, strides)
        scale = 1.0
        if self._config.se_type != "none":
            with tf.name_scope("attention"):
                gate, scale = self._gate(x, states, name)
            x = x * gate
        residual = self._weights.scale(f"{path}/_mobile_bottleneck/_rezero")
        kernel, bias = self._weights.convolution(f"{path}/_projection", (1, 1, 1))
        x = _conv2d(x, kernel[0] * (scale * residual), bias * residual)
        if f"{path}/_skip/_projection" in self._weights:
            kernel, bias = self._weights.convolution(
                f"{path}/_skip/_projection", (1, 1, 1)
            )
            if strides != (1, 1, 1):
                inputs = tf.nn.avg_pool2d(inputs, 3, 2, "SAME")
            inputs = _conv2d(inputs, kernel[0], bias)
        return x + inputs

    def _convolution(self, x, states, name, path, size, strides, unit=1.0):
        """Convolves over space and time, activated; x is in units of `unit`."""
        path = f"backbone/{path}"
        time, height, width = size
        strides = strides[1:]
        if time == 1 or self._config.conv_type == "3d":
            kernel, bias = self._weights.convolution(path, size)
            taps = [_either_conv2d(x, tap * unit, strides) for tap in kernel[::-1]]
            taps[0] = tf.nn.bias_add(taps[0], _constant(bias))
        else:
            kernel, bias = self._weights.convolution(path, (1, height, width))
            x = _either_conv2d(x, kernel[0] * unit, strides)
            x = self._activate(tf.nn.bias_add(x, _constant(bias)))
            kernel, bias = self._weights.convolution(path, (time, 1, 1), "_temporal")
            *earlier, last = kernel
            # A depthwise convolution adds the bias in passing.
            taps = [tf.nn.bias_add(_either_conv2d(x, last, 1), _constant(bias))]
            taps += [x * _constant(tap[0, 0, 0]) for tap in reversed(earlier)]
        return self._activate(self._sum_over_time(taps, states, f"state_{name}_stream"))

    def _sum_over_time(self, taps, states, name):
        """Sums over frames, tap 0 of the same frame, tap 1 of the one before, ...

        Args:
          taps: tensors [frames, height, width, channels].
          states: the stream's; of these, what is known of the next frames' sums.
          name: prefix of the states' names.
        """
        names = [f"{name}_sum{index}" for index in range(1, len(taps))]
        shape = (1, *taps[0].shape[1:])
        sums = [states.get(name, shape) for name in names]
        sums += [None] * self.frames_per_step
        taps = [_frames(tap) for tap in taps]
        for frame in range(self.frames_per_step):
            for delay, tap in enumerate(taps):
                so_far = sums[frame + delay]
                part = tap[frame]
                sums[frame + delay] = part if so_far is None else so_far + part
        states.new |= zip(names, sums[self.frames_per_step :], strict=True)
        return _joined(sums[: self.frames_per_step])

    def _gate(self, x, states, name):
        """Returns the squeeze excitation's gate, but for its scale, and the scale."""
        path = f"backbone/{name}/_attention"
        x = tf.reduce_mean(x, (1, 2), keepdims=True)
        if self._config.se_type != "2d":
            mean = self._running_mean(x, states, f"state_{name}_pool_mean")
            both = self._config.se_type == "2plus3d"
            x = tf.concat([mean, x], -1) if both else mean
        if self._config.use_positional_encoding:
            weight = self._weights.scale(f"{path}/_pos_encoding/_rezero")
            x = x + self._positions(x.shape[-1]) * weight
        kernel, bias = self._weights.pointwise(f"{path}/_se_reduce")
        x = self._activate(_conv2d(x, kernel[0], bias))
        kernel, bias = self._weights.pointwise(f"{path}/_se_expand")
        if self._config.gating_activation == "sigmoid":
            return tf.sigmoid(_conv2d(x, kernel[0], bias)), 1.0
        slope, scale = _HARD_GATES[self._config.gating_activation]
        x = _conv2d(x, kernel[0] * slope, bias * slope + 3.0)
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

        By the same operations, for at large positions roundings show.
        """
        pairs = _constant(2 * (np.arange(channels) // 2))
        angles = 1.0 / tf.math.pow(10_000.0, pairs / float(channels))
        radians = tf.cast(_joined(self._indices), tf.float32)[:, None] * angles
        encoding = tf.concat(
            [tf.sin(radians[:, 0::2]), tf.cos(radians[:, 1::2])], axis=-1
        )
        return tf.reshape(encoding, (self.frames_per_step, 1, 1, channels))

    def _official_head(self, x):
        kernel, bias = self._weights.pointwise("head/_head")
        x = _conv2d(x, kernel[0], bias)
        x = tf_utils.get_activation(
            self.model.config.head.activation, use_keras_layer=True
        )(x)
        kernel, bias = self._weights.pointwise("head/_classifier")
        return tf.reshape(_conv2d(x, kernel[0], bias), (1, -1))

    def _activate(self, x):
        return tf_utils.get_activation(self._config.activation, use_keras_layer=True)(x)


def _conv2d(x, kernel, bias):
    return tf.nn.bias_add(
        tf.nn.conv2d(x, _constant(kernel), 1, "SAME"), _constant(bias)
    )


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


def _prefixed(states):
    return {STATE_PREFIX + name: state for name, state in states.items()}


def _check(model, frames_per_step, image_dtype):
    if model.backbone.compute_dtype != "float32":
        raise ValueError(
            f"The model computes in {model.backbone.compute_dtype}: build it under the"
            " float32 policy, with the same weights, to export it."
        )
    if frames_per_step < 1:
        raise ValueError(f"frames_per_step is {frames_per_step}: it must be above 0.")
    if image_dtype not in IMAGE_DTYPES:
        raise ValueError(
            f"Unknown image_dtype {image_dtype!r}; known: {', '.join(IMAGE_DTYPES)}."
        )
