"""What a family of backbones says about itself; a new family needs nothing else.

Configs must know a network's possible fields before any network is built, and the
module of a network reads configs. So the module registers its family here, where
configs and all others look it up.
"""

import dataclasses
from collections.abc import Callable, Collection, Mapping
from typing import Any

from grw_tf.models.conventions import TENSORFLOW, Conventions

MOVINET = "movinet"

NORM_MOMENTUM = 0.99
"""Momentum of official MoViNets' batch normalizations, and the default of families."""


def _frame_by_frame(backbone: Any, frames: Any, states: Mapping) -> tuple[Any, dict]:
    return backbone(frames)["head"], dict(states)


@dataclasses.dataclass(frozen=True)
class Family:
    """Backbones that are built alike.

    Attributes:
        name: The family's name. Model ids begin with it and "_", except MoViNets'.
        model_ids: Names of its networks.
        build: Function from a `ModelConfig` to a Keras model from clips
            [batch, N, size, size, 3] in 0..1 to a dict of endpoints
            [batch, N, height, width, channels] by name, in the network's order. "head"
            is the last, of height and width 1. The model is functional, or has a
            functional model with the same endpoints as `network`. Where endpoints have
            fewer frames than the clip, its input has `config.frames` frames.
        residual_blocks: Function from a built backbone to its `ResidualBlock`s, in the
            network's order. By default there are none, and no regularizer can act.
        fixed: Values that fields of `BackboneConfig` must have. If `causal` is fixed to
            true, the network sees frames one by one.
        norm_momentum: Momentum of the moving statistics of batch normalizations, where
            a config gives none.
        choices: Known values of fields of `BackboneConfig` that vary in the family.
        endpoint_names: Function from a model id to the names of its endpoints, in the
            network's order. By default the network is built to find them.
        variable_shapes: Function from a `BackboneConfig` to the shapes of the
            backbone's variables, by names that begin with names of layers, and the
            channels of "head". By default the network is built to find them, and names
            are paths of attributes.
        head_hidden_channels: Function from a model id to the channels of the official
            head's hidden layer, 0 for none.
        has_model_garden_head: Whether the official head is the Model Garden's MoViNet
            head, for which the backbone pools over time. Otherwise it is `MeanHead`.
        state_specs: Function from a built backbone, a `ModelConfig` and a batch size to
            the `tf.TensorSpec`s of a stream's states. By default there are none.
        stream_step: Function from a built backbone, frames and states to the features
            of "head" and the new states. By default each frame is seen by itself.
        trains_from_scratch: Whether its experiments train from random weights, and not
            from published ones.
        experiment_prefix: What names of experiments put before names of presets.
        implementations: By name, the conventions of the implementations whose weights
            the family's networks can have.
    """

    name: str
    model_ids: Collection[str]
    build: Callable[[Any], Any]
    residual_blocks: Callable[[Any], list] = lambda backbone: []
    fixed: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    norm_momentum: float = NORM_MOMENTUM
    choices: Mapping[str, Collection[str]] = dataclasses.field(default_factory=dict)
    endpoint_names: Callable[[str], list[str]] | None = None
    variable_shapes: Callable[[Any], tuple[dict, int]] | None = None
    head_hidden_channels: Callable[[str], int] = lambda model_id: 0
    has_model_garden_head: bool = False
    state_specs: Callable[[Any, Any, int | None], dict] = lambda *_: {}
    stream_step: Callable[[Any, Any, Mapping], tuple[Any, dict]] = _frame_by_frame
    trains_from_scratch: bool = False
    experiment_prefix: str = ""
    implementations: Mapping[str, Conventions] = dataclasses.field(
        default_factory=lambda: {TENSORFLOW: Conventions()}
    )

    @property
    def prefix(self) -> str:
        """What the family's model ids begin with."""
        return "" if self.name == MOVINET else f"{self.name}_"

    def check(self, config: Any) -> None:
        """Checks the values that the family fixes or restricts.

        Args:
            config: A `BackboneConfig` of the family.

        Raises:
            ValueError: If a value is one that no network of the family has.
        """
        for name, value in self.fixed.items():
            if getattr(config, name) != value:
                raise ValueError(
                    f"backbone.{name} is {getattr(config, name)!r:.80}: that of"
                    f" {config.model_id} is {value!r}; take its experiment or preset,"
                    " which set it."
                )
        for name, known in self.choices.items():
            if getattr(config, name) not in known:
                raise ValueError(
                    f"Unknown {name} {getattr(config, name)!r:.80}; known:"
                    f" {', '.join(known)}."
                )
        if config.implementation not in self.implementations:
            raise ValueError(
                f"backbone.implementation is {config.implementation!r:.80}: that of"
                f" {config.model_id} can only be {' or '.join(self.implementations)}."
            )


FAMILIES: dict[str, Family] = {}
"""Families by name."""


def register(family: Family) -> None:
    """Makes a family known to configs and `build_model`.

    Args:
        family: The family, with a name and model ids of its own.

    Raises:
        ValueError: If the name is taken, or a model id does not begin with it.
    """
    if family.name in FAMILIES:
        raise ValueError(f"There is a family of backbones {family.name!r} already.")
    for model_id in family.model_ids:
        if not model_id.startswith(family.prefix):
            raise ValueError(
                f"model_id {model_id!r} of the family {family.name!r} must begin with"
                f" {family.prefix!r}."
            )
    FAMILIES[family.name] = family


def family_of(model_id: str) -> Family:
    """Returns the family of a model id.

    Args:
        model_id: A model id, such as "a0" or "slowonly_50".

    Raises:
        ValueError: For an unknown model id, with the known ones.
    """
    named = (f for f in FAMILIES.values() if f.prefix and model_id.startswith(f.prefix))
    family = next(named, FAMILIES[MOVINET])
    if model_id not in family.model_ids:
        known = family.model_ids if family.prefix else model_ids()
        raise ValueError(
            f"Unknown model_id {model_id!r:.80}; known: {', '.join(known)}."
        )
    return family


def model_ids() -> list[str]:
    """Lists the model ids of all families, MoViNets first."""
    families = sorted(FAMILIES.values(), key=lambda family: family.name != MOVINET)
    return [name for family in families for name in sorted(family.model_ids)]
