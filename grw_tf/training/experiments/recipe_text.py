"""A recipe as YAML, with the source of each value as a comment."""

import math
from collections.abc import Iterator
from typing import Any

import yaml
from official.modeling import hyperparams

from grw_tf.models.regularization_config import REGULARIZERS
from grw_tf.training.experiments.checks import UNUSED
from grw_tf.training.experiments.parsing import Recipe


def recipe_text(recipe: Recipe) -> str:
    """Returns the recipe as YAML that --config_file takes.

    Keys that do nothing in this project are left out, and so are the settings of
    optimizers, schedules, augmentations and regularizers that are not chosen, unless
    they were given.
    """
    return "\n".join(_lines(recipe.params, "", recipe.sources)) + "\n"


def _lines(config, path, sources) -> Iterator[str]:
    indent = "  " * path.count(".")
    for key in config.as_dict():
        inner, value = f"{path}{key}", getattr(config, key)
        if inner in UNUSED or not _is_chosen(config, key, inner, sources):
            continue
        if isinstance(value, hyperparams.Config):
            below = list(_lines(value, f"{inner}.", sources))
            if below:
                yield f"{indent}{key}:"
                yield from below
        else:
            source = sources.get(inner, "experiment default")
            yield f"{indent}{key}: {_yaml(value)}  # {source}"


def _is_chosen(config, key, path, sources) -> bool:
    if isinstance(config, hyperparams.OneOfConfig):
        chosen = key in ("type", config.type)
    elif key in REGULARIZERS:
        chosen = key in config.methods
    else:
        return True
    return chosen or any(given.startswith(f"{path}.") for given in sources)


def _yaml(value: Any) -> str:
    plain = _with_lists(value)
    text = yaml.safe_dump([plain], default_flow_style=True, width=math.inf)
    return text.strip()[1:-1]


def _with_lists(value):
    return (
        [_with_lists(v) for v in value] if isinstance(value, (list, tuple)) else value
    )
