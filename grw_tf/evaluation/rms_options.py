"""Flags for where in a model, and with which filter, features are decomposed."""

import dataclasses

from grw_tf.common.flags import option
from grw_tf.layers import RandomMeanScaling
from grw_tf.models.regularization_config import RMSConfig

_DEFAULT = RMSConfig()


@dataclasses.dataclass(frozen=True)
class RMSOptions:
    """Fields of `RMSConfig` as flags; lists are separated by commas."""

    before: str = option(
        ",".join(_DEFAULT.before),
        "Batch normalizations in a block: expansion, feature and projection of MoViNet"
        " and MobileNetV3, bn1 to bn4 of 3-D ResNets; or other parts, see"
        " docs/regularizers.md. Empty for those where RMS acts by default.",
    )
    blocks: str = option(
        ",".join(_DEFAULT.blocks),
        "Names of blocks (block4_layer1) or of stages (block4, res5); empty for the"
        " last two stages.",
    )
    kernel_size: int = option(
        _DEFAULT.kernel_size, "Odd number of positions of the filter along each axis."
    )
    std: float = option(
        _DEFAULT.std, "Standard deviation of the Gaussian filter, in positions."
    )

    def rms(self, filter: str, component: str = _DEFAULT.component) -> RMSConfig:
        """Returns the config with a filter, which is checked, and a component."""
        RandomMeanScaling(filter, self.kernel_size, self.std, component=component)
        return RMSConfig(
            before=listed(self.before),
            blocks=listed(self.blocks),
            filter=filter,
            kernel_size=self.kernel_size,
            std=self.std,
            component=component,
        )


def listed(text: str) -> tuple[str, ...]:
    """Returns the parts of a text that are separated by commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())
