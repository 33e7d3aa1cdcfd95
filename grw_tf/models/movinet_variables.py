"""The variables of a MoViNet by name and shape, known without building it."""

from official.projects.movinet.modeling import movinet
from official.vision.modeling.layers import nn_layers

from grw_tf.models.block_specs import endpoint_names
from grw_tf.models.config import BackboneConfig
from grw_tf.models.variable_shapes import VariableShapes

# The squeeze excitation's default in the Model Garden's `MovinetBlock`.
_SE_RATIO = 0.25


def movinet_variables(config: BackboneConfig) -> tuple[dict[str, tuple[int, ...]], int]:
    """Returns the shapes of a MoViNet's variables, and the channels of its features.

    Names are those of `grw_tf.weights.model_variables`, in the network's order. That is
    the same for the convolution types "2plus1d" and "3d_2plus1d".
    """
    stem, *blocks, head = movinet.BLOCK_SPECS[config.model_id]
    layers = iter(f"backbone/{name}" for name in endpoint_names(config.model_id))
    found = VariableShapes(config.conv_type)
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
            _add_squeeze_excitation(found, f"{name}/_attention", expanded, config)
            if inputs != outputs or strides != (1, 1, 1):
                found.convolution(
                    f"{name}/_skip/_projection", (1, 1, 1), inputs, outputs
                )
            found[f"{name}/_mobile_bottleneck/_rezero/_scale"] = ()
            inputs = outputs
    width = head.project_filters
    found.convolution(f"{next(layers)}/_project", (1, 1, 1), inputs, width)
    return dict(found), width


def _add_squeeze_excitation(found, name, channels, config):
    if config.se_type == "none":
        return
    pools = 2 if config.se_type == "2plus3d" else 1
    hidden = nn_layers.make_divisible(_SE_RATIO * channels * pools, divisor=8)
    if config.use_positional_encoding:
        found[f"{name}/_pos_encoding/_rezero/_scale"] = ()
    found.pointwise_with_bias(f"{name}/_se_reduce", pools * channels, hidden)
    found.pointwise_with_bias(f"{name}/_se_expand", hidden, channels)
