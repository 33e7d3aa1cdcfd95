"""The Model Garden's MoViNet backbone, built from the project's config."""

from collections.abc import Mapping

import tensorflow as tf
import tf_keras
from official.projects.movinet.modeling import movinet
from official.vision.modeling.layers import nn_layers

from grw_tf.layers.perturbed_batch_normalization import PerturbedBatchNormalization
from grw_tf.layers.stochastic_depth import StochasticDepth
from grw_tf.models import block_specs
from grw_tf.models.config import ModelConfig
from grw_tf.models.convolution_forms import choose_convolutions
from grw_tf.models.families import MOVINET, Family, register
from grw_tf.models.movinet_variables import movinet_variables
from grw_tf.models.residual_block import ResidualBlock, Site, after_norm, before_norm

CONV_TYPES = ("2plus1d", "3d_2plus1d", "3d")
_SE_TYPES = ("2plus3d", "3d", "2d", "none")

GATES = {
    # When official stream weights were trained (July 2021) "hard_sigmoid" was Keras 2's
    # in the Model Garden; today it is relu6(x + 3) / 6, and no string names the old one
    # (tensorflow/models issue 13559).
    "hard_sigmoid_keras": tf_keras.activations.hard_sigmoid,
    "hard_sigmoid_relu6": "hard_sigmoid",
    "sigmoid": "sigmoid",
}


class _Movinet(movinet.Movinet):
    """The Model Garden's MoViNet, with `PerturbedBatchNormalization`s."""

    def _build_network(self, *args, **kwargs):
        self._norm = PerturbedBatchNormalization
        return super()._build_network(*args, **kwargs)


def _build(model_config):
    config = model_config.backbone
    if config.use_positional_encoding and not config.causal:
        raise ValueError(
            "use_positional_encoding=True needs causal=True: the Model Garden"
            " silently leaves positions out of base models."
        )
    backbone = _Movinet(
        model_id=config.model_id,
        causal=config.causal,
        use_positional_encoding=config.use_positional_encoding,
        conv_type=config.conv_type,
        se_type=config.se_type,
        activation=config.activation,
        gating_activation=GATES[config.gating_activation],
        stochastic_depth_drop_rate=config.stochastic_depth_drop_rate,
        # "3d" pools over time too.
        average_pooling_type="3d" if model_config.backbone_pools_time else "2d",
        # The Model Garden's experiments set it; the layers have another default.
        kernel_regularizer=None,
        # `synchronize` turns it on where there are several replicas: it takes twice the
        # time, because TensorFlow has no fused operation for it.
        use_sync_bn=False,
    )
    if config.stochastic_depth_drop_rate:
        _seedable(backbone)
    choose_convolutions(backbone, config)
    return backbone


def residual_blocks(backbone: movinet.Movinet) -> list[ResidualBlock]:
    """Returns the blocks of a MoViNet, in the network's order."""
    return [
        _residual_block(backbone.get_layer(name), backbone.conv_type)
        for name in block_specs.endpoint_names(backbone._model_id)
        if name.startswith("block")
    ]


def _residual_block(block, conv_type):
    # The types that convolve in 2-D fold frames into the batch, then pixels into rows.
    folds = ("time", "space") if conv_type == "2plus1d" else (None, None)
    places = {}
    for name, convolution in (
        ("expansion", block._expansion),
        ("feature", block._feature),
        ("projection", block._projection),
    ):
        # A kernel over time and space may be two convolutions.
        norms = [
            (norm, fold)
            for norm, fold in zip(
                (convolution._batch_norm, convolution._batch_norm_temporal),
                folds,
                strict=True,
            )
            if norm is not None
        ]
        # Before frames are folded, and padded with those of a stream.
        places[f"{name}_conv"] = (Site(convolution, _input_channels(convolution)),)
        places[name] = tuple(before_norm(*norm) for norm in norms)
        if convolution._activation_layer is not None:
            places[f"{name}_activation"] = tuple(after_norm(*norm) for norm in norms)
    return ResidualBlock(
        name=block.name,
        stage=block.name.split("_")[0],
        places=places,
        default=("expansion", "feature", "projection"),
        branch_owner=block._mobile_bottleneck,
        branch_attribute="_stochastic_depth",
        layer=block,
    )


def _input_channels(convolution):
    if convolution._depthwise:
        return convolution._filters
    kernel = next(w for w in convolution.weights if "kernel" in w.name)
    return kernel.shape[-2]


def _seedable(backbone):
    """Replaces layers that draw from TensorFlow's global stream."""
    for block in backbone.submodules:
        layer = getattr(block, "_stochastic_depth", None)
        if isinstance(layer, nn_layers.StochasticDepth):
            block._stochastic_depth = StochasticDepth(
                layer.get_config()["stochastic_depth_drop_rate"], name=layer.name
            )


def _state_specs(
    backbone: movinet.Movinet, config: ModelConfig, batch_size: int | None
) -> dict[str, tf.TensorSpec]:
    shape = (batch_size, 1, config.size, config.size, 3)
    return {
        name: tf.TensorSpec(spec.shape, _state_dtype(backbone, spec))
        for name, spec in backbone.initial_state_specs(shape).items()
        # These are unused without pooling over time.
        if config.backbone_pools_time or not name.startswith("state_head_pool")
    }


def _state_dtype(backbone, spec):
    # Under mixed precision the Model Garden's specs name the variables' type.
    is_floating = tf.as_dtype(spec.dtype).is_floating
    return backbone.compute_dtype if is_floating else spec.dtype


def _stream_step(
    backbone: movinet.Movinet, frames: tf.Tensor, states: Mapping[str, tf.Tensor]
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    x = frames
    for stage in backbone.layers:
        if not isinstance(stage, tf_keras.layers.InputLayer):
            x, states = stage(x, states=states)
    return x, dict(states)


register(
    Family(
        MOVINET,
        # The Model Garden's dict itself, so that additions to it are known.
        movinet.BLOCK_SPECS,
        _build,
        residual_blocks,
        choices={
            "conv_type": CONV_TYPES,
            "se_type": _SE_TYPES,
            "gating_activation": tuple(GATES),
        },
        endpoint_names=block_specs.endpoint_names,
        variable_shapes=movinet_variables,
        head_hidden_channels=block_specs.head_hidden_channels,
        has_model_garden_head=True,
        state_specs=_state_specs,
        stream_step=_stream_step,
        experiment_prefix="movinet_",
    )
)
