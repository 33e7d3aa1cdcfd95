"""The variables of a model by name and shape, a MoViNet's known without building it.

Names are paths of attributes: `backbone/<layer>/...` with the backbone's layers by the
names the Model Garden gives them (`layer_with_weights-<number>` where it gives none),
`affine/...` and `head/...`. Keras' own names of variables have numbers that change from
one build to the next.
"""

import dataclasses
import functools

import tensorflow as tf
import tf_keras
from official.projects.movinet.modeling import movinet
from official.vision.modeling.layers import nn_layers

from grw_tf.models import mobilenet_backbone
from grw_tf.models.backbone import build_backbone, endpoint_channels
from grw_tf.models.block_specs import check_model_id, endpoint_names
from grw_tf.models.config import BackboneConfig, HeadConfig, ModelConfig

SE_RATIO = 0.25
"""Of a MoViNet's squeeze excitation: `MovinetBlock`'s default."""

_NUMBERED = "layer_with_weights-"

CONVERTIBLE = ("2plus1d", "3d_2plus1d")
"""Convolution types whose variables are each other's, reshaped."""


def model_layout(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Returns the shapes of a model's variables by name, without smoothing's own.

    Raises:
      ValueError: for an unknown model id.
    """
    if config.backbone.family == "movinet":
        backbone = _movinet_layout(config.backbone)
        width = movinet.BLOCK_SPECS[config.backbone.model_id][-1].project_filters
    else:
        backbone, width = _built_layout(config.backbone)
    return {
        **backbone,
        **head_layout(config.head, width, config.num_classes, config.backbone),
    }


@functools.cache
def _built_layout(config):
    """Returns the shapes of a built backbone, and the channels of its last features."""
    built = build_backbone(
        ModelConfig(backbone=config, head=HeadConfig(type="transformer"), size=64)
    )
    found, seen, queue = {}, set(), [("backbone", built)]
    for path, node in queue:
        for name, child in node._trackable_children().items():
            # Layers have two names, of which one counts those without weights.
            if id(child) in seen or name.startswith("layer-"):
                continue
            seen.add(id(child))
            if isinstance(child, tf.Variable):
                found[f"{path}/{name}"] = tuple(child.shape)
            elif isinstance(child, tf_keras.layers.Layer):
                queue.append((f"{path}/{name}", child))
    return found, endpoint_channels(built)["head"]


def _movinet_layout(config):
    """Returns the shapes of a MoViNet's variables by name, in the network's order.

    The order is the same for all `CONVERTIBLE` convolution types.
    """
    check_model_id(config.model_id)
    stem, *blocks, head = movinet.BLOCK_SPECS[config.model_id]
    layers = iter(f"backbone/{name}" for name in endpoint_names(config.model_id))
    found = _Layout(config.conv_type)
    found.convolution(f"{next(layers)}/_stem", stem.kernel_size, 3, stem.filters)
    inputs = stem.filters
    for block in blocks:
        for expanded, kernel_size, strides in zip(
            block.expand_filters, block.kernel_sizes, block.strides, strict=True
        ):
            name, outputs = next(layers), block.base_filters
            found.convolution(f"{name}/_expansion", (1, 1, 1), inputs, expanded)
            found.convolution(f"{name}/_feature", kernel_size, 1, expanded)
            found.convolution(f"{name}/_projection", (1, 1, 1), expanded, outputs)
            found.squeeze_excitation(f"{name}/_attention", expanded, config)
            if inputs != outputs or strides != (1, 1, 1):
                found.convolution(
                    f"{name}/_skip/_projection", (1, 1, 1), inputs, outputs
                )
            found[f"{name}/_mobile_bottleneck/_rezero/_scale"] = ()
            inputs = outputs
    found.convolution(
        f"{next(layers)}/_project", (1, 1, 1), inputs, head.project_filters
    )
    return dict(found)


def head_layout(
    config: HeadConfig, width, num_classes, backbone: BackboneConfig
) -> dict[str, tuple[int, ...]]:
    """Returns the shapes of a head's variables by name, the affine map's too.

    Args:
      config: the head's config.
      width: channels of the backbone's features.
      num_classes: number of classes.
      backbone: the backbone's config.
    """
    if config.type == "official" and backbone.family != "movinet":
        found = _Layout()
        if hidden := mobilenet_backbone.HIDDEN.get(backbone.model_id):
            found.dense("head/_hidden", width, hidden)
        found.dense("head/_classifier", hidden or width, num_classes)
        return dict(found)
    if config.type == "official":
        hidden = movinet.BLOCK_SPECS[backbone.model_id][-1].head_filters
        found = _Layout(backbone.conv_type)
        found.pointwise_with_bias("head/_head", width, hidden)
        found.pointwise_with_bias("head/_classifier", hidden, num_classes)
        return dict(found)
    embed_dim = config.embed_dim or width
    found = _Layout()
    found.dense("affine", width, embed_dim)
    found.layer_norm("head/_input_norm", embed_dim)
    for depth in range(config.depth):
        block = f"head/_blocks/{depth}"
        found.layer_norm(f"{block}/_attention_norm", embed_dim)
        for part in ("query", "key", "value", "output"):
            found.dense(f"{block}/_attention/_{part}_dense", embed_dim, embed_dim)
        found.layer_norm(f"{block}/_mlp_norm", embed_dim)
        found.dense(f"{block}/_mlp_hidden", embed_dim, config.mlp_dim)
        found.dense(f"{block}/_mlp_output", config.mlp_dim, embed_dim)
    found.layer_norm("head/_output_norm", embed_dim)
    found.dense("head/_classifier", embed_dim, num_classes)
    return dict(found)


def find_variable(model, name):
    """Returns the variable of a built model that a layout names.

    Raises:
      KeyError: if the model has none of that name.
    """
    part, *path = name.split("/")
    found = getattr(model, part)
    if part == "backbone" and model.config.backbone.family == "movinet":
        found = found.get_layer(path.pop(0))
    for attribute in path:
        if attribute.isdigit():
            found = found[int(attribute)]
        elif attribute.startswith(_NUMBERED):
            with_weights = [layer for layer in found.layers if layer.weights]
            found = with_weights[int(attribute.removeprefix(_NUMBERED))]
        else:
            found = getattr(found, attribute, None)
        if found is None:
            raise KeyError(f"{name}: nothing at {attribute!r}.")
    return found


def assign(model, values):
    """Sets variables of a built model to values by name."""
    for name, value in values.items():
        find_variable(model, name).assign(value)


def with_conv_type(config: ModelConfig, conv_type) -> ModelConfig:
    """Returns the config with another convolution type."""
    return dataclasses.replace(
        config, backbone=dataclasses.replace(config.backbone, conv_type=conv_type)
    )


class _Layout(dict):
    """Shapes by name, collected layer by layer."""

    def __init__(self, conv_type=None):
        super().__init__()
        self._conv_type = conv_type

    def convolution(self, name, kernel_size, inputs, outputs):
        """A convolution and its batch norm; depthwise if it has one input channel.

        Those over time and space are two in the (2+1)D types.
        """
        time, height, width = kernel_size
        if self._conv_type == "3d" or time == 1:
            parts = {"": kernel_size}
        else:
            parts = {"": (1, height, width), "_temporal": (time, 1, 1)}
        for suffix, size in parts.items():
            self._kernel(f"{name}/_conv{suffix}", size, inputs, outputs)
            for statistic in ("gamma", "beta", "moving_mean", "moving_variance"):
                self[f"{name}/_batch_norm{suffix}/{statistic}"] = (outputs,)

    def squeeze_excitation(self, name, channels, config):
        if config.se_type == "none":
            return
        pools = 2 if config.se_type == "2plus3d" else 1
        hidden = nn_layers.make_divisible(SE_RATIO * channels * pools, divisor=8)
        if config.use_positional_encoding:
            self[f"{name}/_pos_encoding/_rezero/_scale"] = ()
        self.pointwise_with_bias(f"{name}/_se_reduce", pools * channels, hidden)
        self.pointwise_with_bias(f"{name}/_se_expand", hidden, channels)

    def pointwise_with_bias(self, name, inputs, outputs):
        kernel = self._kernel(f"{name}/_conv", (1, 1, 1), inputs, outputs)
        self[kernel.rpartition("/")[0] + "/bias"] = (outputs,)

    def _kernel(self, name, size, inputs, outputs):
        time, height, width = size
        if self._conv_type != "2plus1d":
            name, shape = f"{name}/kernel", (*size, inputs, outputs)
        elif inputs == 1:
            name = f"{name}/_conv/depthwise_kernel"
            shape = (time * height, width, outputs, 1)
        else:
            name = f"{name}/_conv/kernel"
            shape = (time * height, width, inputs, outputs)
        self[name] = shape
        return name

    def dense(self, name, inputs, outputs):
        self[f"{name}/kernel"] = (inputs, outputs)
        self[f"{name}/bias"] = (outputs,)

    def layer_norm(self, name, channels):
        self[f"{name}/gamma"] = (channels,)
        self[f"{name}/beta"] = (channels,)
