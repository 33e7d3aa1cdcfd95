"""MobileNetV3 of Keras Applications, applied to each frame by itself.

Reference: Howard et al., Searching for MobileNetV3, ICCV 2019.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tf_keras

from grw_tf.layers.perturbed_add import PerturbedAdd
from grw_tf.layers.perturbed_batch_normalization import PerturbedBatchNormalization
from grw_tf.models.config import BackboneConfig
from grw_tf.models.families import NORM_MOMENTUM, Family, register
from grw_tf.models.residual_block import ResidualBlock, Site, after_norm, before_norm

# By model id: the network, and channels of the hidden layer of its own head.
_NETWORKS = {
    "mobilenet_v3_small": (tf_keras.applications.MobileNetV3Small, 1024),
    "mobilenet_v3_large": (tf_keras.applications.MobileNetV3Large, 1280),
}
MODEL_IDS = tuple(_NETWORKS)

SHIFTED_PREFIX = "tsm_"
"""What model ids of MobileNetV3s with temporal shifts begin with."""

LEAST_SIZE = 32

_PERTURBED = {
    tf_keras.layers.BatchNormalization: PerturbedBatchNormalization,
    tf_keras.layers.Add: PerturbedAdd,
}
# Names of the parts of a block in Keras Applications.
_PLACES = {"expansion": "expand", "feature": "depthwise", "projection": "project"}


class MobileNetV3(tf_keras.Model):
    """Sees the frames of clips [batch, N, size, size, 3] in 0..1 one by one.

    Its endpoints [batch, N, height, width, channels] are "stem", "block0", "block1" and
    so on after each block, and "head" [batch, N, 1, 1, channels], the last
    convolution's mean over space.

    Args:
        config: A MobileNetV3's config.
        size: Height and width of a frame, in pixels, at least 32.

    Attributes:
        network: The functional model of frames [frames, size, size, 3].

    Raises:
        ValueError: For a size that is too small.
    """

    def __init__(self, config: BackboneConfig, size: int) -> None:
        super().__init__(name=config.model_id)
        if size < LEAST_SIZE:
            raise ValueError(
                f"size is {size}: {config.model_id} needs frames of at least"
                f" {LEAST_SIZE} pixels."
            )
        self.network = self._build_network(_whole_network(config.model_id, size))
        self.built = True

    def call(
        self, inputs: tf.Tensor, training: bool | tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        frames = tf.reshape(inputs, (-1, *inputs.shape[2:]))
        endpoints = self.network(scaled(frames), training=training)
        return {
            name: tf.reshape(x, (-1, inputs.shape[1], *x.shape[1:]))
            for name, x in endpoints.items()
        }

    def _build_network(self, whole):
        return tf_keras.Model(whole.input, endpoints_of(whole), name="network")


def scaled(frames: tf.Tensor, unit: float = 1.0) -> tf.Tensor:
    """Returns frames in 0..1 / unit in the range of Keras Applications' weights."""
    return 2.0 * unit * frames - 1.0


def _whole_network(model_id, size):
    network, _ = _NETWORKS[model_id.removeprefix(SHIFTED_PREFIX)]
    return tf_keras.models.clone_model(
        network(
            input_shape=(size, size, 3),
            include_top=False,
            weights=None,
            include_preprocessing=False,
        ),
        clone_function=_perturbed,
    )


def endpoints_of(
    whole: tf_keras.Model, standing_for: Callable[[Any], Any] = lambda tensor: tensor
) -> dict[str, Any]:
    """Returns the endpoints of a network of Keras Applications, in its order.

    Args:
        whole: The network.
        standing_for: Function from a tensor of the network to the tensor of another
            graph of the same layers.
    """
    first = next(layer for layer in whole.layers if block_name(layer))
    endpoints = {"stem": standing_for(first.get_input_at(0))}
    for layer in whole.layers:
        name = block_name(layer)
        if name:
            # The last layer of each block stays.
            endpoints[name] = standing_for(layer.get_output_at(0))
    last = standing_for(whole.output)
    endpoints["head"] = tf.reduce_mean(last, (1, 2), keepdims=True)
    return endpoints


def _perturbed(layer):
    return _PERTURBED.get(type(layer), type(layer)).from_config(layer.get_config())


def block_name(layer: tf_keras.layers.Layer) -> str | None:
    """Returns "block3" of a layer called "expanded_conv_3/...", else None."""
    block, _, part = layer.name.partition("/")
    if not part or not block.startswith("expanded_conv"):
        return None
    return f"block{block.removeprefix('expanded_conv').removeprefix('_') or 0}"


def residual_blocks(backbone: MobileNetV3) -> list[ResidualBlock]:
    """Returns the blocks of a MobileNetV3, in the network's order.

    A stage begins where the frames get smaller.
    """
    by_block: dict[str, dict[str, tf_keras.layers.Layer]] = {}
    for layer in backbone.network.layers:
        name = block_name(layer)
        if name:
            part = layer.name.partition("/")[2]
            by_block.setdefault(name, {})[part] = layer
    blocks, stage = [], -1
    for name, layers in by_block.items():
        stage += layers["depthwise"].strides != (1, 1) or stage < 0
        places = {
            name: sites
            for place, part in _PLACES.items()
            if part in layers
            for name, sites in _places(place, part, layers).items()
        }
        blocks.append(
            ResidualBlock(
                name=name,
                stage=f"stage{stage}",
                places=places,
                default=tuple(place for place in _PLACES if place in places),
                branch_owner=layers.get("Add"),
                branch_attribute="branch",
                branch_fold="time",
            )
        )
    return blocks


def _places(place, part, layers):
    """Returns the places of one convolution of a block by name."""
    norm = layers[f"{part}/BatchNorm"]
    # Strided convolutions have a layer that pads before them.
    first = layers.get(f"{part}/pad", layers[part])
    found = {
        f"{place}_conv": (Site(first, first.input_shape[-1], fold="time"),),
        place: (before_norm(norm, "time"),),
    }
    if place != "projection":
        found[f"{place}_activation"] = (after_norm(norm, "time"),)
    return found


def head_hidden_channels(model_id: str) -> int:
    """Returns the channels of the hidden layer of a MobileNetV3's own head."""
    _, hidden = _NETWORKS[model_id.removeprefix(SHIFTED_PREFIX)]
    return hidden


FIXED = {
    "causal": True,
    "conv_type": "2d",
    "se_type": "2d",
    "activation": "hard_swish",
    "gating_activation": "hard_sigmoid_relu6",
    "use_positional_encoding": False,
    "stochastic_depth_drop_rate": 0.0,
}
"""Values that fields of a `BackboneConfig` must have."""

register(
    Family(
        "mobilenet_v3",
        MODEL_IDS,
        build=lambda config: MobileNetV3(config.backbone, config.size),
        residual_blocks=residual_blocks,
        fixed=FIXED,
        # With Keras Applications' 0.999, statistics would cover half of the way in a
        # thousand steps.
        norm_momentum=NORM_MOMENTUM,
        head_hidden_channels=head_hidden_channels,
    )
)
