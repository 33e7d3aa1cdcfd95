"""Frozen config dataclasses as the Model Garden's, which YAML files override."""

import dataclasses
import json

from official.modeling import hyperparams


def mirrored(config_class):
    """Returns a `hyperparams.Config` class with the fields of a frozen dataclass.

    So each field is spelled once; `frozen` goes back.

    Args:
        config_class: A dataclass of plain defaults and of dataclasses of such.
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


def frozen(config, config_class):
    """Returns the frozen config of a mirrored one.

    Args:
        config: An instance of `mirrored(config_class)`.
        config_class: The frozen dataclass, with a `from_json`.

    Raises:
        ValueError: As `from_json`: for a value of another type or that cannot be.
    """
    return config_class.from_json(json.dumps(config.as_dict()))
