"""SlowOnly: the Model Garden's 3-D ResNet, with temporal kernels in late stages only.

Reference: the slow pathway of Feichtenhofer et al., SlowFast Networks, ICCV 2019, as
Kim et al. train it in the RMS paper. Its appendix with the layers of SlowOnly-34 is not
available: here both convolutions of a basic block are 3x3x3 in stages with temporal
kernels.
"""

import tensorflow as tf
from official.vision.modeling.backbones import resnet_3d

from grw_tf.layers.residual_blocks_3d import BasicBlock3D, BottleneckBlock3D
from grw_tf.models.config import BackboneConfig
from grw_tf.models.conventions import RESNETS
from grw_tf.models.families import Family, register
from grw_tf.models.residual_block import ResidualBlock
from grw_tf.models.residual_block_3d import FIXED, STAGES, residual_block_3d

_TEMPORAL_KERNELS = (1, 1, 3, 3)
_FULL, _NANO = (64, 128, 256, 512), (8, 16, 24, 32)

NETWORKS = {
    "slowonly_34": (BasicBlock3D, _FULL, (3, 4, 6, 3)),
    "slowonly_50": (BottleneckBlock3D, _FULL, (3, 4, 6, 3)),
    "slowonly_nano": (BasicBlock3D, _NANO, (1, 1, 1, 1)),
    "slowonly_nano_bottleneck": (BottleneckBlock3D, _NANO, (1, 1, 1, 1)),
}
"""Networks by model id: the block, and channels and number of blocks of each stage."""
MODEL_IDS = tuple(NETWORKS)

for _model_id, (_, _channels, _repeats) in NETWORKS.items():
    # The Model Garden finds stages by model id in this dict. It only knows the name of
    # one kind of block; the class is replaced below.
    resnet_3d.RESNET_SPECS[_model_id] = [
        ("bottleneck3d", *stage) for stage in zip(_channels, _repeats, strict=True)
    ]


class SlowOnly(resnet_3d.ResNet3D):
    """A SlowOnly network from clips [batch, N, height, width, 3] to its endpoints.

    The endpoints are "res2" to "res5" [batch, N, height, width, channels], and "head"
    [batch, N, 1, 1, channels], the mean of "res5" over space.
    """

    def __init__(self, config: BackboneConfig) -> None:
        self._block, _, repeats = NETWORKS[config.model_id]
        self._conventions = config.conventions
        super().__init__(
            model_id=config.model_id,
            temporal_strides=[1] * len(STAGES),
            temporal_kernel_sizes=[
                (size,) * count
                for size, count in zip(_TEMPORAL_KERNELS, repeats, strict=True)
            ],
            stem_conv_temporal_kernel_size=1,
            stem_conv_temporal_stride=1,
            stem_pool_temporal_stride=1,
            init_stochastic_depth_rate=config.stochastic_depth_drop_rate,
            activation=config.activation,
            # As in the Model Garden's experiments on Kinetics.
            norm_epsilon=1e-5,
        )
        self._conventions.pad(self)

    def _build_model(self, inputs):
        stages = super()._build_model(self._conventions.normalize(inputs))
        endpoints = dict(zip(STAGES, stages.values(), strict=True))
        last = endpoints[STAGES[-1]]
        return endpoints | {"head": tf.reduce_mean(last, (2, 3), keepdims=True)}

    def _block_group(self, *args, block_fn=None, **kwargs):
        del block_fn
        return super()._block_group(*args, block_fn=self._block_fn, **kwargs)

    def _block_fn(self, se_ratio, use_self_gating, **kwargs):
        del se_ratio, use_self_gating
        for regularizer in ("kernel_regularizer", "bias_regularizer"):
            del kwargs[regularizer]
        return self._block(**kwargs)


def residual_blocks(backbone: SlowOnly) -> list[ResidualBlock]:
    """Returns the blocks of a SlowOnly, in the network's order."""
    blocks = [
        layer
        for layer in backbone.layers
        if isinstance(layer, BasicBlock3D | BottleneckBlock3D)
    ]
    _, _, repeats = NETWORKS[backbone._model_id]
    names = [
        (stage, f"{stage}_layer{index}")
        for stage, count in zip(STAGES, repeats, strict=True)
        for index in range(count)
    ]
    return [
        residual_block_3d(block, *name)
        for block, name in zip(blocks, names, strict=True)
    ]


register(
    Family(
        "slowonly",
        MODEL_IDS,
        build=lambda config: SlowOnly(config.backbone),
        residual_blocks=residual_blocks,
        fixed=FIXED,
        # As in the Model Garden's experiments on Kinetics.
        norm_momentum=0.9,
        trains_from_scratch=True,
        implementations=RESNETS,
    )
)
