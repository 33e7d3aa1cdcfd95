"""Command line flags from dataclasses, so that each is spelled once."""

import dataclasses
import typing

from absl import flags

# Flags defined here count as the calling program's: its --help shows them.
flags.disclaim_key_flags()

_DEFINE = {
    bool: flags.DEFINE_bool,
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    str: flags.DEFINE_string,
}


def option(default, help):
    """Returns a dataclass field with a default and the flag's help."""
    return dataclasses.field(default=default, metadata={"help": help})


def define_flags(config_class, required=()):
    """Defines a flag for each field of a dataclass of `option` fields."""
    types = typing.get_type_hints(config_class)
    for field in dataclasses.fields(config_class):
        # absl takes any default for an answer.
        default = None if field.name in required else field.default
        _DEFINE[types[field.name]](field.name, default, field.metadata["help"])
    flags.mark_flags_as_required(required)
    for name in required:
        flags.register_validator(
            name, lambda value: value != "", message="It must not be empty."
        )


def config_from_flags(config_class):
    """Returns the dataclass with the values of the flags."""
    return config_class(
        **{
            field.name: getattr(flags.FLAGS, field.name)
            for field in dataclasses.fields(config_class)
        }
    )
