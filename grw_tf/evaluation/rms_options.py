"""Flags that say where in a model, and how, features are taken apart."""

import dataclasses

from grw_tf.common.flags import option
from grw_tf.layers import RandomMeanScaling
from grw_tf.models.regularization_config import RMSConfig

_DEFAULT = RMSConfig()


@dataclasses.dataclass(frozen=True)
class RMSOptions:
    """Fields of `RMSConfig` as flags, lists separated by commas."""

    before: str = option(
        ",".join(_DEFAULT.before),
        "Which batch normalisations of a block: expansion, feature and projection of"
        " MoViNets and MobileNetV3, bn1 to bn3 of SlowOnly's; empty for where RMS acts"
        " by default.",
    )
    blocks: str = option(
        ",".join(_DEFAULT.blocks),
        "Names of blocks, as block4_layer1, or of stages, as block4 or res5; empty for"
        " the last two stages.",
    )
    kernel_size: int = option(
        _DEFAULT.kernel_size, "Positions of the filter along each axis, odd."
    )
    std: float = option(_DEFAULT.std, "Of the Gaussian filter, in positions.")

    def rms(self, filter, component=_DEFAULT.component) -> RMSConfig:
        """Returns the config with a filter, of a component.

        Raises:
            ValueError: For a filter that cannot be.
        """
        RandomMeanScaling(filter, self.kernel_size, self.std, component=component)
        return RMSConfig(
            before=listed(self.before),
            blocks=listed(self.blocks),
            filter=filter,
            kernel_size=self.kernel_size,
            std=self.std,
            component=component,
        )


def listed(text) -> tuple[str, ...]:
    """Returns the parts of a text separated by commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())
