"""What the names of variants mean: fragments of an experiment's YAML."""

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from grw_tf.common.suggestions import suggest
from grw_tf.training.experiments.config_files import shipped_configs
from grw_tf.training.experiments.parsing import leaves, read_yaml

BASELINE = "baseline"
LAYERS = "task.model.smoothing.layers"
METHODS = "task.model.regularization.methods"

_JOINED = (LAYERS, METHODS)
_RENAMED = {"grw_final": "grw"}
_MODEL = "task.model"
_COMPARED = (
    _MODEL,
    "task.losses",
    "task.freeze_backbone",
    "task.unfreeze_step",
    "task.freeze_batch_norm",
    "trainer.optimizer_config",
)
_SHARED = (
    *("task.model.num_classes", "task.model.frames", "task.model.size"),
    *("task.model.fps", "task.model.frame_fit", "task.model.backbone.model_id"),
    "task.model.output_activation",
)


@dataclasses.dataclass(frozen=True)
class Fragment:
    """What a variant sets: values by keys of the experiment, with dots."""

    name: str
    values: dict[str, Any]


@functools.cache
def named_variants() -> dict[str, Path]:
    """Returns the overlays that change the model alone, by their names."""
    return {
        name: path
        for name, path in shipped_configs().items()
        if all(
            key.startswith(f"{_MODEL}.")
            for key, _ in leaves(read_yaml(str(path)) or {})
        )
    }


def read_fragments(variants: str) -> list[Fragment]:
    """Reads variants as `--variants` lists them, separated by commas.

    Each is the name of a shipped overlay or the path of a YAML file; "+" joins several.
    After ":", a key of that part, below `task.model`, gets another value, as in
    "grw:smoothing.weight=0.01+rms".

    Returns:
        The fragments; the first is the baseline's, which sets nothing.

    Raises:
        ValueError: If a variant is unknown, is given twice, sets a key to two values,
            or sets a key that all variants must share.
    """
    found = [Fragment(BASELINE, {})]
    for given in filter(None, (name.strip() for name in variants.split(","))):
        if given == BASELINE:
            continue
        fragment = _fragment(given)
        for other in found:
            if _parts(other.name) == _parts(fragment.name):
                raise ValueError(f"Variant {fragment.name!r:.200} is given twice.")
        found.append(fragment)
    if len(found) < 2:
        raise ValueError(
            f"variants is {variants!r}: name at least one beside the baseline, of"
            f" {', '.join(named_variants())}, or a YAML file."
        )
    return found


def _parts(name):
    return set(name.split("+"))


def _fragment(given):
    names, values, setters = [], {}, {}
    for part in (part.strip() for part in given.split("+")):
        name, of_part = _part(part, given)
        if name in names:
            raise ValueError(f"Variant {given!r:.200} names {name} twice.")
        names.append(name)
        for key, value in of_part.items():
            _check_key(key, part)
            if key in _JOINED and key in values:
                value = list(dict.fromkeys([*values[key], *value]))
            elif key in values and values[key] != value:
                raise ValueError(
                    f"Variant {given!r:.200}: {setters[key]} sets {key} to"
                    f" {values[key]!r}, and {name} to {value!r}. Leave one out; what"
                    " follows ':' is set for the part before it, as in"
                    " 'grw:smoothing.weight=0.01+rms'."
                )
            values[key], setters[key] = value, name
    return Fragment("+".join(names), values)


def _part(part, variant):
    """Returns the name of a part of a variant, and its values by key."""
    source, *changes = part.split(":")
    if source.endswith((".yaml", ".yml")):
        name, path = Path(source).stem, source
    else:
        name, path = source, _shipped(source, variant)
    content = read_yaml(str(path)) or {}
    if not isinstance(content, Mapping):
        raise ValueError(f"{path} is no mapping of keys: {content!r:.80}.")
    values = dict(leaves(content))
    for change in changes:
        key, equals, text = change.partition("=")
        if not equals:
            raise ValueError(
                f"Variant {variant!r:.200}: {change!r:.80} sets nothing; write a key"
                " below task.model and its value, as smoothing.weight=0.01."
            )
        values[f"{_MODEL}.{key}"] = _value(text)
    return ":".join([name, *changes]), values


def _shipped(name, variant):
    known = named_variants()
    if name in known:
        return known[name]
    if name in _RENAMED:
        raise ValueError(
            f"Variant {variant!r:.200}: {name} is called {_RENAMED[name]} now, use"
            " that."
        )
    raise ValueError(
        f"Unknown variant {variant!r:.200}: {name!r:.80} is no part of one and no YAML"
        f" file; {suggest(name, known)}"
    )


def _value(text):
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def _check_key(key, part):
    if _is_below(key, _COMPARED) and not _is_below(key, _SHARED):
        return
    raise ValueError(
        f"Variant {part!r:.200} sets {key}, which all variants must share: set it"
        f" in --config_file. Variants may set {', '.join(_COMPARED)}, but not"
        f" {', '.join(_SHARED)}."
    )


def _is_below(key, paths):
    return any(key == path or key.startswith(f"{path}.") for path in paths)
