"""What each variant of a comparison changes of the model, by its name."""

import dataclasses
import difflib

from grw_tf.models import ModelConfig
from grw_tf.models.backbone import endpoint_names
from grw_tf.models.regularization_config import REGULARIZERS, RegularizationConfig
from grw_tf.models.smoothing import FINAL, frame_places

BASELINE = "baseline"
GRW, GRW_FINAL, GRW_INTERMEDIATE = "grw", "grw_final", "grw_intermediate"
PARTS = (GRW, GRW_FINAL, GRW_INTERMEDIATE, *REGULARIZERS)
"""What names of variants are made of, by "+"."""

_SHARED_HEAD = "transformer"


@dataclasses.dataclass(frozen=True)
class Variant:
    """A variant.

    Attributes:
      name: as it was asked for.
      config: its model.
    """

    name: str
    config: ModelConfig

    def describe(self) -> str:
        """Returns what acts in its training, in words."""
        smoothing, methods = self.config.smoothing, self.config.regularization.methods
        parts = []
        if smoothing.layers:
            places = " and ".join(
                "the final embeddings" if place == FINAL else place
                for place in smoothing.layers
            )
            parts.append(
                f"GRW smoothing of {places}: windows of {smoothing.window} frames,"
                f" weight {smoothing.weight:g}, alpha {smoothing.alpha:g}"
            )
        parts += [_described(method, self.config) for method in methods]
        return "; ".join(parts) or "neither smoothing nor a regulariser"


def _described(method, config):
    settings = dataclasses.asdict(getattr(config.regularization, method))
    listed = ", ".join(
        f"{name} {_text(value)}"
        for name, value in settings.items()
        if value not in ((), "")
    )
    return f"{method} ({listed})"


def _text(value):
    return " to ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def split_names(names: str) -> list[str]:
    """Returns the names of variants given by commas, the baseline first.

    Raises:
      ValueError: for an unknown part, with the known, or for a variant named twice.
    """
    found = []
    for given in filter(None, (name.strip() for name in names.split(","))):
        parts = [part.strip() for part in given.split("+")]
        name = "+".join(parts)
        for part in parts:
            if part not in PARTS and name != BASELINE:
                near = difflib.get_close_matches(part, PARTS, n=1)
                hint = f"did you mean {near[0]!r}? " if near else ""
                raise ValueError(
                    f"Unknown variant {name!r:.80}: {part!r:.80} is no part of one;"
                    f" {hint}known: {BASELINE}, or by + {', '.join(PARTS)}."
                )
        same = [other for other in found if set(other.split("+")) == set(parts)]
        if same or len(set(parts)) < len(parts):
            raise ValueError(f"Variant {name!r:.80} names the same thing twice.")
        found.append(name)
    others = [name for name in found if name != BASELINE]
    if not others:
        raise ValueError(
            f"variants is {names!r}: name at least one beside the baseline, of"
            f" {', '.join(PARTS)}."
        )
    return [BASELINE, *others]


def with_shared_head(config: ModelConfig, names) -> ModelConfig:
    """Returns the config with the one head that all variants have.

    It is the config's own. Only the official head has no final embeddings to smooth: if
    a variant wants them, all of them get a transformer head, as the published models'.

    Args:
      config: the user's.
      names: of the variants.
    """
    places = {place for name in names for place in _places(name, config, "")}
    if config.head.type != "official" or FINAL not in places:
        return config
    head = dataclasses.replace(config.head, type=_SHARED_HEAD)
    return dataclasses.replace(config, head=head)


def make_variant(name, config: ModelConfig, intermediate_layer="") -> Variant:
    """Returns a variant of a model: what its name says acts, and nothing else.

    How strongly it acts, and how, is what the config says.

    Args:
      name: of `split_names`.
      config: of `with_shared_head`.
      intermediate_layer: endpoint of grw_intermediate, "" for the last block.

    Raises:
      ValueError: for an endpoint that is not there, or what does not go together.
    """
    methods = tuple(part for part in name.split("+") if part in REGULARIZERS)
    own = config.regularization
    defaults = RegularizationConfig()
    # Settings of what does not act are refused by the experiment's checks.
    settings = {
        method: getattr(own if method in methods else defaults, method)
        for method in REGULARIZERS
    }
    layers = _places(name, config, intermediate_layer)
    return Variant(
        name,
        dataclasses.replace(
            config,
            smoothing=dataclasses.replace(config.smoothing, layers=layers),
            regularization=RegularizationConfig(methods=methods, **settings),
        ),
    )


def check_endpoint(config: ModelConfig, layer):
    """Raises a ValueError if a model's backbone has no such endpoint."""
    known = _endpoints(config)
    if layer not in known:
        raise ValueError(
            f"--intermediate_layer={layer:.80} is no endpoint of"
            f" {config.backbone.model_id}; known: {', '.join(known)}."
        )


def last_block(config: ModelConfig) -> str:
    """Returns the name of the backbone's last endpoint before its head."""
    return [name for name in _endpoints(config) if name != "head"][-1]


def _places(name, config, intermediate_layer):
    """Returns where a variant smooths, each place once."""
    places = []
    for part in name.split("+"):
        if part == GRW:
            places += config.smoothing.layers or (FINAL,)
        elif part == GRW_FINAL:
            places.append(FINAL)
        elif part == GRW_INTERMEDIATE:
            places.append(intermediate_layer or last_block(config))
    return tuple(dict.fromkeys(places))


def _endpoints(config):
    places = frame_places(config, endpoint_names(config))
    return [name for name in places if name != FINAL]
