"""What the residual blocks of 3-D ResNets offer to regularizers."""

from grw_tf.layers.channel_separated_block_3d import ChannelSeparatedBlock3D
from grw_tf.layers.residual_blocks_3d import BasicBlock3D, BottleneckBlock3D
from grw_tf.models.residual_block import ResidualBlock, Site, after_norm, before_norm

STAGES = ("res2", "res3", "res4", "res5")
"""Names of the stages of a ResNet."""

FIXED = {
    "causal": False,
    "conv_type": "3d",
    "se_type": "none",
    "activation": "relu",
    "gating_activation": "sigmoid",
    "use_positional_encoding": False,
}
"""What fields of the config of every 3-D ResNet are."""


def residual_block_3d(
    block: BasicBlock3D | BottleneckBlock3D | ChannelSeparatedBlock3D,
    stage: str,
    name: str,
) -> ResidualBlock:
    """Describes a built block.

    Its places are "conv1", "bn1" and "relu1" before the first convolution, its batch
    normalization and the activation after that, and so on. The last activation comes
    after the sum with the shortcut; its place is before the sum, as in the RMS paper.

    Args:
        block: The layer.
        stage: Name of its stage.
        name: Name of the block.
    """
    places: dict[str, tuple[Site, ...]] = {}
    for number, (convolution, norm, activated) in enumerate(block.branch, start=1):
        channels = convolution.kernel.shape[-2] * convolution.groups
        places[f"conv{number}"] = (Site(convolution, channels),)
        places[f"bn{number}"] = (before_norm(norm),)
        if activated:
            places[f"relu{number}"] = (after_norm(norm),)
    norms = tuple(name for name in places if name.startswith("bn"))
    return ResidualBlock(
        name=name,
        stage=stage,
        places=places,
        # As in the RMS paper: in bottlenecks before the last one alone.
        default=norms if isinstance(block, BasicBlock3D) else norms[-1:],
        branch_owner=block,
        branch_attribute="_stochastic_depth",
        layer=block,
    )
