"""Turns frozen config dataclasses into the Model Garden's configs, and back."""

import dataclasses
import json
from typing import Any

from official.modeling import hyperparams

from grw_tf.models import ModelConfig


def mirrored(config_class: Any) -> type[hyperparams.Config]:
    """Returns a `hyperparams.Config` class with the fields of a frozen dataclass.

    YAML files can override it, and each field is defined only once. The defaults must
    be plain values or such dataclasses. `frozen` converts back.
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


def frozen(config: hyperparams.Config, config_class: type[ModelConfig]) -> ModelConfig:
    """Returns the frozen config of an instance of `mirrored(config_class)`.

    Raises:
        ValueError: If a value has the wrong type or is out of range; see `from_json`.
    """
    return config_class.from_json(json.dumps(config.as_dict()))
