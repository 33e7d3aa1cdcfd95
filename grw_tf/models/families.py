"""Where families of backbones are made known; a new one needs nothing else.

A plain dict would do for the project's own. But a config must know what the fields of a
network can be before any is built, and a network's module must read configs: so the
module tells here, and the config looks here.
"""

import dataclasses
from collections.abc import Callable, Collection, Mapping
from typing import Any

MOVINET = "movinet"

NORM_MOMENTUM = 0.99
"""Of official MoViNets' batch normalisations, and of families that say nothing else."""


def _no_blocks(backbone):
    del backbone
    return []


@dataclasses.dataclass(frozen=True)
class Family:
    """Backbones that are built alike.

    Attributes:
      name: of the family. All but "movinet" have model ids that begin with it and "_".
      model_ids: names of its networks.
      build: function from a `ModelConfig` to a Keras model from clips
        [batch, N, size, size, 3] in 0..1 to a dict of endpoints
        [batch, N, height, width, channels] by name, in the network's order. "head" is
        the last, of height and width 1. The model is functional, or has a functional
        one of the same endpoints as `network`.
      residual_blocks: function from a built backbone to its `ResidualBlock`s, in the
        network's order; by default it has none, and no regulariser can act in it.
      fixed: what the fields of `BackboneConfig` must be that describe a MoViNet. If
        `causal` is true, frames are seen one by one.
      norm_momentum: of the moving statistics of batch normalisations, where a config
        gives none.
    """

    name: str
    model_ids: Collection[str]
    build: Callable[[Any], Any]
    residual_blocks: Callable[[Any], list] = _no_blocks
    fixed: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    norm_momentum: float = NORM_MOMENTUM


FAMILIES: dict[str, Family] = {}
"""Families by name."""


def register(family: Family):
    """Makes a family known to configs and `build_model`.

    Args:
      family: of a name that there is not yet.

    Raises:
      ValueError: if there is one of that name, or a model id does not begin with it.
    """
    if family.name in FAMILIES:
        raise ValueError(f"There is a family of backbones {family.name!r} already.")
    for model_id in family.model_ids:
        if family.name != MOVINET and not model_id.startswith(f"{family.name}_"):
            raise ValueError(
                f"model_id {model_id!r} of the family {family.name!r} must begin with"
                f" '{family.name}_'."
            )
    FAMILIES[family.name] = family


def family_of(model_id) -> str:
    """Returns the name of the family of a model id.

    Args:
      model_id: known or not; what begins with no family's name is taken for a MoViNet.
    """
    families = (name for name in FAMILIES if model_id.startswith(f"{name}_"))
    return next(families, MOVINET)


def model_ids():
    """Lists the model ids of all families, MoViNets first."""
    families = sorted(FAMILIES.values(), key=lambda family: family.name != MOVINET)
    return [name for family in families for name in sorted(family.model_ids)]
