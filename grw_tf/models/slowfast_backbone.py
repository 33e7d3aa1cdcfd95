"""SlowFast: a 3-D ResNet on few frames, joined by a thin one on all frames.

Reference: Feichtenhofer et al., SlowFast Networks for Video Recognition, ICCV 2019.
"""

import dataclasses

import tensorflow as tf
import tf_keras
from official.vision.modeling.layers import nn_layers

from grw_tf.layers.perturbed_batch_normalization import PerturbedBatchNormalization
from grw_tf.layers.residual_blocks_3d import BottleneckBlock3D
from grw_tf.layers.time_interpolation import TimeInterpolation
from grw_tf.models.config import ModelConfig
from grw_tf.models.conventions import RESNETS
from grw_tf.models.families import Family, register
from grw_tf.models.residual_block import ResidualBlock
from grw_tf.models.residual_block_3d import FIXED, STAGES, residual_block_3d

SLOW, FAST = "slow", "fast"
# As in the Model Garden's experiments on Kinetics.
_NORM_EPSILON = 1e-5


@dataclasses.dataclass(frozen=True)
class _Pathway:
    """One of the two networks.

    Attributes:
        channels: Of the middle of the blocks in each stage; the stem has the first.
        stem_kernel: Frames of the stem's kernel.
        kernels: Frames of the kernels of the blocks in each stage.
    """

    channels: tuple[int, ...]
    stem_kernel: int
    kernels: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class SlowFastSpec:
    """A SlowFast network.

    Attributes:
        alpha: The slow pathway sees one of as many frames.
        lateral_kernel: Frames of the kernels of the lateral connections.
        slow, fast: The pathways.
        repeats: Number of blocks in each stage.
    """

    alpha: int
    lateral_kernel: int
    slow: _Pathway
    fast: _Pathway
    repeats: tuple[int, ...]


_SLOW = _Pathway((64, 128, 256, 512), 1, (1, 1, 3, 3))
_FAST = _Pathway((8, 16, 32, 64), 5, (3, 3, 3, 3))
SPECS = {
    "slowfast_50_8x8": SlowFastSpec(4, 7, _SLOW, _FAST, (3, 4, 6, 3)),
    "slowfast_50_4x16": SlowFastSpec(8, 5, _SLOW, _FAST, (3, 4, 6, 3)),
    "slowfast_nano": SlowFastSpec(
        2,
        5,
        _Pathway((8, 16, 32, 32), 1, (1, 1, 3, 3)),
        _Pathway((2, 4, 6, 8), 5, (3, 3, 3, 3)),
        (1, 1, 1, 1),
    ),
}
"""Networks by model id: those of the paper with 8 and 4 of 32 frames in the slow
pathway, and a small one for toy data."""
MODEL_IDS = tuple(SPECS)


def _block_name(path, stage, index):
    return f"{path}_{stage}_layer{index}"


def build(config: ModelConfig) -> tf_keras.Model:
    """Builds a SlowFast network from clips [batch, N, height, width, 3].

    The slow pathway sees the first of each `alpha` frames, or as many other frames if
    the implementation chooses others. After the stem's pooling and each stage but the
    last, it gets the fast pathway's features beside its own.

    The endpoints are "slow_res2", "fast_res2" to "fast_res5", which have N / alpha and
    N frames, and "head" [batch, N, 1, 1, channels]: means over space of both pathways,
    the slow one's interpolated in time. Their mean over time, which the official head
    takes, is that of each pathway.

    Args:
        config: A SlowFast's config.

    Raises:
        ValueError: If frames is not a multiple of alpha.
    """
    model_id, frames = config.backbone.model_id, config.frames
    spec = SPECS[model_id]
    if frames % spec.alpha:
        raise ValueError(
            f"frames is {frames}: the slow pathway of {model_id} sees one of"
            f" {spec.alpha} frames, so give a multiple of {spec.alpha}, such as"
            f" {-(-frames // spec.alpha) * spec.alpha}."
        )
    conventions = config.backbone.conventions
    clips = tf_keras.Input((frames, None, None, 3))
    seen = conventions.normalize(clips)
    slow = _stem(_slow_frames(seen, spec, conventions), spec.slow, SLOW)
    fast = _stem(seen, spec.fast, FAST)
    endpoints = {}
    lateral = "pool1"
    for index, stage in enumerate(STAGES):
        slow = tf.concat([slow, _lateral(fast, spec, lateral, conventions)], -1)
        slow = _stage(slow, spec.slow, SLOW, index, config, spec.repeats[index])
        fast = _stage(fast, spec.fast, FAST, index, config, spec.repeats[index])
        endpoints[f"{SLOW}_{stage}"] = slow
        endpoints[f"{FAST}_{stage}"] = fast
        lateral = stage
    slow, fast = (tf.reduce_mean(x, (2, 3), keepdims=True) for x in (slow, fast))
    slow = TimeInterpolation(spec.alpha, name="slow_at_all_frames")(slow)
    endpoints["head"] = tf.concat([slow, fast], -1)
    backbone = tf_keras.Model(clips, endpoints, name=model_id)
    conventions.pad(backbone)
    return backbone


def _slow_frames(clips, spec, conventions):
    if not conventions.slow_frames_span_clip:
        return clips[:, :: spec.alpha]
    frames = conventions.slow_frames(clips.shape[1], spec.alpha)
    return tf.gather(clips, frames, axis=1)


def _stem(x, pathway, path):
    x = tf_keras.layers.Conv3D(
        pathway.channels[0],
        (pathway.stem_kernel, 7, 7),
        (1, 2, 2),
        padding="same",
        use_bias=False,
        kernel_initializer="VarianceScaling",
        name=f"{path}_stem",
    )(x)
    x = _normed(x, f"{path}_stem_norm")
    return tf_keras.layers.MaxPool3D((1, 3, 3), (1, 2, 2), padding="same")(x)


def _lateral(fast, spec, name, conventions):
    """Returns the fast pathway's features at the slow one's frame rate."""
    # Frames on both sides, so that kernels are centered on the slow pathway's frames.
    beyond = spec.lateral_kernel // 2
    x = tf_keras.layers.ZeroPadding3D((beyond, 0, 0))(fast)
    x = tf_keras.layers.Conv3D(
        2 * fast.shape[-1],
        (spec.lateral_kernel, 1, 1),
        (spec.alpha, 1, 1),
        use_bias=False,
        kernel_initializer="VarianceScaling",
        name=f"{name}_lateral",
    )(x)
    if not conventions.normalizes_laterals:
        return x
    return _normed(x, f"{name}_lateral_norm")


def _normed(x, name):
    x = PerturbedBatchNormalization(epsilon=_NORM_EPSILON, name=name)(x)
    return tf.nn.relu(x)


def _stage(x, pathway, path, index, config, repeats):
    drop_rate = nn_layers.get_stochastic_depth_rate(
        config.backbone.stochastic_depth_drop_rate, index + 2, len(STAGES) + 1
    )
    for layer in range(repeats):
        x = BottleneckBlock3D(
            pathway.channels[index],
            pathway.kernels[index],
            temporal_strides=1,
            spatial_strides=2 if index and not layer else 1,
            stochastic_depth_drop_rate=drop_rate,
            activation=config.backbone.activation,
            norm_epsilon=_NORM_EPSILON,
            name=_block_name(path, STAGES[index], layer),
        )(x)
    return x


def residual_blocks(backbone: tf_keras.Model) -> list[ResidualBlock]:
    """Returns the blocks of both pathways, those of equal depth side by side."""
    return [
        residual_block_3d(backbone.get_layer(name), stage, name)
        for stage, repeats in zip(STAGES, SPECS[backbone.name].repeats, strict=True)
        for index in range(repeats)
        for path in (SLOW, FAST)
        for name in [_block_name(path, stage, index)]
    ]


register(
    Family(
        "slowfast",
        MODEL_IDS,
        build,
        residual_blocks,
        fixed=FIXED,
        # As in the Model Garden's experiments on Kinetics.
        norm_momentum=0.9,
        trains_from_scratch=True,
        implementations=RESNETS,
    )
)
