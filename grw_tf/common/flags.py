"""Defines command-line flags from dataclasses, so each is spelled once."""

import dataclasses
import typing
from collections.abc import Sequence
from typing import Any

from absl import flags

# The flags count as the calling program's, so its --help shows them.
flags.disclaim_key_flags()

Config = typing.TypeVar("Config")

_DEFINE = {
    bool: flags.DEFINE_bool,
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    str: flags.DEFINE_string,
    # None unless given.
    float | None: flags.DEFINE_float,
    int | None: flags.DEFINE_integer,
}


def option(default: Any, help: str) -> Any:
    """Returns a dataclass field with a default and the help text of its flag."""
    return dataclasses.field(default=default, metadata={"help": help})


def define_flags(config_class: type, required: Sequence[str] = ()) -> None:
    """Defines a flag for each field of a dataclass of `option` fields.

    Args:
        config_class: The dataclass.
        required: Fields that the user must give, and not as an empty text.
    """
    types = typing.get_type_hints(config_class)
    for field in dataclasses.fields(config_class):
        # absl accepts a default as the value of a required flag.
        default = None if field.name in required else field.default
        _DEFINE[types[field.name]](field.name, default, field.metadata["help"])
    flags.mark_flags_as_required(required)
    for name in required:
        flags.register_validator(
            name, lambda value: value != "", message="It must not be empty."
        )


def config_from_flags(config_class: type[Config]) -> Config:
    """Returns an instance of the dataclass with the values of the flags."""
    return config_class(
        **{
            field.name: getattr(flags.FLAGS, field.name)
            # A type variable cannot be bound to dataclasses.
            for field in dataclasses.fields(config_class)  # type: ignore[arg-type]
        }
    )
