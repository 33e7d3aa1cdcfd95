"""Lists in frozen configs, kept as tuples."""

from typing import Any


def make_tuples(config: Any, path: str, *names: str) -> None:
    """Lets fields of a frozen config be given as lists, and keeps them as tuples.

    Args:
        config: The dataclass, at construction.
        path: What the fields' keys begin with in a YAML file.
        *names: The fields.

    Raises:
        ValueError: If a field is not a list, or has the same text twice.
    """
    for name in names:
        value = getattr(config, name)
        if not isinstance(value, (list, tuple)):
            what = "the string " if isinstance(value, str) else ""
            raise ValueError(f"{path}.{name} must be a list, got {what}{value!r:.80}.")
        twice = [item for item in value if value.count(item) > 1]
        if twice and isinstance(twice[0], str):
            raise ValueError(f"{path}.{name} has {twice[0]!r:.80} twice.")
        object.__setattr__(config, name, tuple(value))
