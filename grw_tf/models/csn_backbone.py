"""Channel-separated networks: 3-D ResNets whose 3x3x3 convolutions are depthwise.

Reference: Tran et al., Video Classification with Channel-Separated Convolutional
Networks, ICCV 2019.
"""

import dataclasses

import tensorflow as tf
import tf_keras
from official.vision.modeling.layers import nn_layers

from grw_tf.layers.channel_separated_block_3d import ChannelSeparatedBlock3D
from grw_tf.layers.perturbed_batch_normalization import PerturbedBatchNormalization
from grw_tf.models.config import ModelConfig
from grw_tf.models.conventions import CSNS
from grw_tf.models.convolution_forms import choose_convolutions
from grw_tf.models.families import Family, register
from grw_tf.models.residual_block import ResidualBlock
from grw_tf.models.residual_block_3d import FIXED, STAGES, residual_block_3d


@dataclasses.dataclass(frozen=True)
class CsnSpec:
    """A channel-separated network.

    Attributes:
        preserves_interaction: Whether it is an ip-CSN; otherwise an ir-CSN.
        stem_channels: Of the first convolution.
        channels: Of the middle of the blocks in each stage.
        repeats: Number of blocks in each stage.
    """

    preserves_interaction: bool
    stem_channels: int = 64
    channels: tuple[int, ...] = (64, 128, 256, 512)
    repeats: tuple[int, ...] = (3, 4, 6, 3)


SPECS = {
    "csn_ip_50": CsnSpec(True),
    "csn_ir_50": CsnSpec(False),
    # For toy data.
    "csn_nano": CsnSpec(True, 8, (8, 16, 24, 32), (1, 1, 1, 1)),
}
"""Networks by model id."""
MODEL_IDS = tuple(SPECS)


def _block_name(stage, index):
    return f"{stage}_layer{index}"


def build(config: ModelConfig) -> tf_keras.Model:
    """Builds a channel-separated network from clips [batch, N, height, width, 3].

    The endpoints are "res2" to "res5" [batch, time, height, width, channels] with N,
    N / 2, N / 4 and N / 8 frames, rounded up, and "head" [batch, time, 1, 1, channels],
    the mean of "res5" over space.

    Args:
        config: A channel-separated network's config.
    """
    model_id = config.backbone.model_id
    spec = SPECS[model_id]
    conventions = config.backbone.conventions
    clips = tf_keras.Input((config.frames, None, None, 3))
    x = tf_keras.layers.Conv3D(
        spec.stem_channels,
        (3, 7, 7),
        (1, 2, 2),
        padding="same",
        use_bias=False,
        kernel_initializer="VarianceScaling",
        name="stem",
    )(conventions.normalize(clips))
    x = tf.nn.relu(PerturbedBatchNormalization(name="stem_norm")(x))
    x = tf_keras.layers.MaxPool3D((1, 3, 3), (1, 2, 2), padding="same")(x)
    endpoints = {}
    for index, stage in enumerate(STAGES):
        drop_rate = nn_layers.get_stochastic_depth_rate(
            config.backbone.stochastic_depth_drop_rate, index + 2, len(STAGES) + 1
        )
        for layer in range(spec.repeats[index]):
            stride = 2 if index and not layer else 1
            x = ChannelSeparatedBlock3D(
                spec.channels[index],
                temporal_strides=stride,
                spatial_strides=stride,
                preserves_interaction=spec.preserves_interaction,
                stochastic_depth_drop_rate=drop_rate,
                activation=config.backbone.activation,
                name=_block_name(stage, layer),
            )(x)
        endpoints[stage] = x
    endpoints["head"] = tf.reduce_mean(x, (2, 3), keepdims=True)
    backbone = tf_keras.Model(clips, endpoints, name=model_id)
    choose_convolutions(backbone, config.backbone)
    conventions.pad(backbone)
    return backbone


def residual_blocks(backbone: tf_keras.Model) -> list[ResidualBlock]:
    """Returns the blocks of a channel-separated network, in the network's order."""
    return [
        residual_block_3d(
            backbone.get_layer(_block_name(stage, index)),
            stage,
            _block_name(stage, index),
        )
        for stage, repeats in zip(STAGES, SPECS[backbone.name].repeats, strict=True)
        for index in range(repeats)
    ]


register(
    Family(
        "csn",
        MODEL_IDS,
        build,
        residual_blocks,
        fixed=FIXED,
        # As in the Model Garden's experiments on Kinetics.
        norm_momentum=0.9,
        trains_from_scratch=True,
        implementations=CSNS,
    )
)
