"""Counts a model's cost at inference from its graphs."""

import dataclasses
import math

import tensorflow as tf

from grw_tf.cost_table.multiply_adds import convolution_outputs, multiply_adds
from grw_tf.cost_table.peak_memory import peak_memory
from grw_tf.models import ModelConfig, StreamingModel, build_model
from grw_tf.models.backbone import endpoint_channels, endpoint_frames


@dataclasses.dataclass(frozen=True)
class ModelCost:
    """The cost of one video with the model's own frames and size, in a batch of one.

    A stream model can be fed frame by frame, so its peak memory is that of one frame.

    Attributes:
        backbone_parameters, head_parameters: Numbers of trainable parameters.
        weight_bytes: Bytes of all variables, including moving statistics.
        backbone_multiply_adds, head_multiply_adds: Multiply-adds of a clip processed at
            once.
        convolution_outputs: Number of output values of a clip's convolutions.
        frame_multiply_adds: Multiply-adds of one frame of a stream, with the head if it
            gives logits for each frame; for other models, the clip's share.
        peak_bytes: Peak bytes of activations and states; see `peak_memory`.
        peak_operation: The operation at the peak.
        state_bytes: Bytes of a stream's states.
        unshared_bytes: Bytes of activations and states if no memory were used twice.
        clip_peak_bytes: `peak_bytes` of a clip processed at once.
    """

    backbone_parameters: int
    head_parameters: int
    weight_bytes: int
    backbone_multiply_adds: int
    head_multiply_adds: int
    convolution_outputs: int
    frame_multiply_adds: float
    peak_bytes: int
    peak_operation: str
    state_bytes: int
    unshared_bytes: int
    clip_peak_bytes: int

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of a clip, for backbone and head."""
        return self.backbone_multiply_adds + self.head_multiply_adds


def measure(config: ModelConfig) -> ModelCost:
    """Builds a model with random weights, and counts its cost."""
    # Autograph, which these layers do not need, takes half the building time.
    model = tf.autograph.experimental.do_not_convert(build_model)(config)
    clip_shape = (1, config.frames, config.size, config.size, 3)
    clip = _trace(lambda x: model(x, training=False), tf.TensorSpec(clip_shape))
    whole, head = _total(clip), _total(_trace_head(model))
    clip_memory = memory = peak_memory(clip)
    frame, state_bytes = whole / config.frames, 0
    if config.backbone.causal:
        frame, state_bytes, memory = _measure_stream(StreamingModel(model))
    trained = _size(model.trainable_weights)
    in_backbone = _size(model.backbone.trainable_weights)
    return ModelCost(
        backbone_parameters=in_backbone,
        head_parameters=trained - in_backbone,
        weight_bytes=_bytes(model.weights),
        backbone_multiply_adds=whole - head,
        head_multiply_adds=head,
        convolution_outputs=convolution_outputs(clip),
        frame_multiply_adds=frame,
        peak_bytes=memory.peak,
        peak_operation=memory.operation,
        state_bytes=state_bytes,
        unshared_bytes=memory.unshared,
        clip_peak_bytes=clip_memory.peak,
    )


def _measure_stream(stream):
    """Returns a step's multiply-adds, the states' bytes, and the memory."""
    config, specs = stream.model.config, stream.state_specs()
    frames = tf.TensorSpec((1, 1, config.size, config.size, 3))
    counts = {name: spec for name, spec in specs.items() if spec.dtype.is_integer}

    def first_step(frames, states):
        # The shape of positions is static only if their first count is a constant.
        known = {
            name: tf.zeros(spec.shape, spec.dtype) for name, spec in counts.items()
        }
        return stream.step(frames, states | known)

    others = {name: spec for name, spec in specs.items() if name not in counts}
    step = _trace(first_step, frames, others)
    memory = [peak_memory(step)]
    if stream.on_demand:
        memory.append(peak_memory(_trace(stream.classify, specs)))
    most = max(memory, key=lambda one: one.peak)
    return _total(step), _bytes(specs.values()), most


def _trace_head(model):
    """Traces the head alone, on the backbone's last features [1, time, 1, 1, channels].

    The affine map to embeddings counts as a part of the head.
    """
    pools = model.config.backbone_pools_time
    channels = endpoint_channels(model.backbone)["head"]
    frames = endpoint_frames(model.backbone, model.config.frames)["head"]
    shape = (1, 1 if pools else frames, 1, 1, channels)

    def head(features):
        return model.head(features if pools else model.project(features))

    return _trace(head, tf.TensorSpec(shape))


def _trace(function, *specs):
    return tf.function(function, autograph=False).get_concrete_function(*specs)


def _total(function):
    return sum(multiply_adds(function).values())


def _size(variables):
    return sum(math.prod(variable.shape) for variable in variables)


def _bytes(tensors):
    return sum(math.prod(tensor.shape) * tensor.dtype.size for tensor in tensors)
