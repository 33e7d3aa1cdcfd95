"""The variants of a comparison: an experiment each, equal but for its fragment."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from official.core import config_definitions as cfg
from official.core import exp_factory

from grw_tf.comparison.fragments import LAYERS, METHODS, Fragment
from grw_tf.models import ModelConfig
from grw_tf.models.regularization_config import REGULARIZERS
from grw_tf.models.smoothing import FINAL
from grw_tf.models.smoothing_places import smoothing_places
from grw_tf.training.experiments.checks import check_experiment
from grw_tf.training.experiments.parsing import leaves, override
from grw_tf.training.experiments.video_classification import Model, fill_in
from grw_tf.training.experiments.yaml_config import frozen

_HEAD = "task.model.head."
_SMOOTHING, _REGULARIZATION = "task.model.smoothing.", "task.model.regularization."


@dataclasses.dataclass(frozen=True)
class Variant:
    """A variant.

    Attributes:
        name: As it was asked for.
        config: Its model.
        experiment: Its whole experiment but for the seed, as JSON holds it.
        changed: What its experiment has other than the baseline's, by key with dots.
    """

    name: str
    config: ModelConfig
    experiment: dict[str, Any]
    changed: dict[str, Any]

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
                f" weight {smoothing.weight:g}{_warmup(smoothing)}, alpha"
                f" {smoothing.alpha:g}"
            )
        parts += [_described(method, self.config) for method in methods]
        parts += [
            f"{key} {_text(value)}"
            for key, value in self.changed.items()
            if not key.startswith((_SMOOTHING, _REGULARIZATION))
        ]
        return "; ".join(parts) or "neither smoothing nor a regularizer"


def make_variants(
    fragments: Sequence[Fragment], shared: dict[str, Any], experiment: str
) -> tuple[Variant, ...]:
    """Returns the variants of an experiment.

    The baseline neither smooths nor regularizes, whatever the config says. All have one
    head: that of a variant that sets one, else the config's.

    Args:
        fragments: What variants set, the baseline's first.
        shared: The experiment that they change; its seed is left out of the variants.
        experiment: The name of the experiment.

    Raises:
        ValueError: If variants want different heads, a fragment does not fit the
            experiment, a place to smooth does not exist, or two variants are the same.
    """
    head = _shared_head(fragments)
    variants: list[Variant] = []
    for fragment in fragments:
        values = fragment.values | head
        params = _resolved(fragment.name, values, shared, experiment)
        config = frozen(params.task.model, ModelConfig)
        _check_places(fragment.name, config)
        found = _json(params)
        del found["task"]["seed"]
        baseline = dict(leaves(variants[0].experiment if variants else found))
        changed = {k: v for k, v in leaves(found) if v != baseline.get(k)}
        variants.append(Variant(fragment.name, config, found, changed))
    _check_distinct(variants)
    return tuple(variants)


def _json(params):
    return json.loads(json.dumps(params.as_dict()))


def _shared_head(fragments):
    wanted = {}
    for fragment in fragments:
        head = {k: v for k, v in fragment.values.items() if k.startswith(_HEAD)}
        if head:
            wanted.setdefault(json.dumps(head, sort_keys=True), fragment)
    if len(wanted) > 1:
        one, other = list(wanted.values())[:2]
        raise ValueError(
            f"The variants {one.name} and {other.name} set different heads: all"
            " variants have one head, so let them set the same."
        )
    return json.loads(next(iter(wanted), "{}"))


def _resolved(name, values, shared, experiment) -> cfg.ExperimentConfig:
    params = exp_factory.get_exp_config(experiment)
    override(params, shared, name)
    cleared: dict[str, Any] = {LAYERS: [], METHODS: []}
    override(params, _nested(cleared | values), f"Variant {name}")
    regularization = params.task.model.regularization
    for method in REGULARIZERS:
        # Settings of what does not act are refused by the experiment's checks.
        if method not in regularization.methods:
            default = getattr(Model().regularization, method).as_dict()
            getattr(regularization, method).override(default)
    fill_in(params)
    try:
        check_experiment(params)
    except ValueError as error:
        raise ValueError(f"Variant {name}: {error}") from None
    params.validate()
    return params


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns nested mappings from their leaves by path, as "task.model.size"."""
    found: dict[str, Any] = {}
    for path, value in values.items():
        *outer, last = path.split(".")
        inner = found
        for name in outer:
            inner = inner.setdefault(name, {})
        inner[last] = value
    return found


def _check_places(name, config):
    layers = config.smoothing.layers
    if not layers or (layers == (FINAL,) and config.head.embeds):
        return
    known = smoothing_places(config)
    for place in layers:
        if place not in known:
            hint = "; set task.model.head.type in the variant" if place == FINAL else ""
            raise ValueError(
                f"Variant {name} smooths {place!r:.80}, which is no place of"
                f" {config.backbone.model_id} with head.type {config.head.type}{hint};"
                f" known: {', '.join(known)}."
            )


def _check_distinct(variants):
    """Raises a ValueError if two names mean the same experiment here."""
    names = {}
    for variant in variants:
        values = dict(leaves(variant.experiment))
        for key in (LAYERS, METHODS):
            values[key] = sorted(values[key])
        if not values[LAYERS]:
            # How strongly nothing is smoothed changes nothing.
            values = {k: v for k, v in values.items() if not k.startswith(_SMOOTHING)}
        same = names.setdefault(json.dumps(values, sort_keys=True), variant.name)
        if same != variant.name:
            raise ValueError(
                f"The variants {same} and {variant.name} are the same with this config,"
                f" {variant.describe()}: leave one out."
            )


def _warmup(smoothing):
    steps = smoothing.warmup_steps
    return f" reached in {steps} steps" if steps else ""


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
