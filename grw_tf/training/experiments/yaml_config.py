"""Turns frozen config dataclasses into the Model Garden's configs, and back."""

import dataclasses
import json
from typing import TypeVar

from official.modeling import hyperparams

T = TypeVar("T")


def mirrored(config_class: type) -> type[hyperparams.Config]:
    """Returns a `hyperparams.Config` class with the fields of a frozen dataclass.

    YAML files can override it, and each field is defined only once. `frozen` converts
    back.

    Args:
        config_class: A dataclass whose defaults are plain values or such dataclasses.
    """
    fields = []
    for field in dataclasses.fields(config_class):
        kind, default = field.type, dataclasses.field(default=field.default)
        if dataclasses.is_dataclass(kind):
            kind = mirrored(kind)
            default = dataclasses.field(default_factory=kind)
        fields.append((field.name, kind, default))
    bases = (hyperparams.Config,)
    return dataclasses.make_dataclass(config_class.__name__, fields, bases=bases)


def frozen(config: hyperparams.Config, config_class: type[T]) -> T:
    """Returns the frozen config of a mirrored one.

    Args:
        config: An instance of `mirrored(config_class)`.
        config_class: The frozen dataclass, with a `from_json`.

    Raises:
        ValueError: If a value has the wrong type or is out of range; see `from_json`.
    """
    return config_class.from_json(json.dumps(config.as_dict()))
