"""Reads nested mappings from YAML or JSON by the keys and types of dataclasses.

No library does this as needed here: cattrs turns "3", 3.7 and true into whole numbers,
dacite takes true for a number, and neither suggests the key that was meant.
"""

import dataclasses
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from grw_tf.common.suggestions import suggest

_SCALARS = (bool, int, float, str)
_SEQUENCES = {list: list, tuple: tuple, Sequence: list}


@dataclasses.dataclass(frozen=True)
class MappingReader:
    """Converts values to the types of dataclass fields.

    Whole numbers become floats, and lists become tuples, where a field has such a type.

    Attributes:
        make: Takes a dataclass, its fields by name, and its dotted path; returns the
            value of those fields.
        skipped: Members of union types that no value can have.
    """

    make: Callable[[type, dict[str, Any], str], Any]
    skipped: tuple[type, ...] = ()

    def read(self, value: Any, wanted: Any, path: str = "", now: Any = None) -> Any:
        """Returns a value as a field's type.

        Args:
            value: The value from YAML or JSON.
            wanted: The field's type.
            path: The field's dotted path, for errors.
            now: The field's present value, whose class may be a subclass of `wanted`.

        Raises:
            ValueError: If a key is unknown or a value has another type.
        """
        kinds = self._kinds(wanted)
        if value is None and type(None) in kinds:
            return None
        for kind in kinds:
            if dataclasses.is_dataclass(kind):
                present: Any = kind if now is None else type(now)
                fields = self._fields(value, present, path, now)
                return self.make(present, fields, path)
            if typing.get_origin(kind) in _SEQUENCES and isinstance(
                value, (list, tuple)
            ):
                return self._items(value, kind, path)
            if kind is Any and _is_plain(value):
                return value
            if kind is float and type(value) is int and _is_plain(value):
                return float(value)
            if kind in _SCALARS and type(value) is kind and _is_plain(value):
                return value
        names = " or ".join(map(_name, kinds))
        got = "null" if value is None else f"{value!r:.80}"
        raise ValueError(f"{path} must be of type {names}, not {got}.")

    def _fields(self, values, kind, path, now):
        if not isinstance(values, Mapping):
            got = "null: leave it out" if values is None else f"{values!r:.80}"
            raise ValueError(
                f"{path or 'all of it'} must be a mapping of keys, not {got}."
            )
        hints = typing.get_type_hints(kind)
        names = [field.name for field in dataclasses.fields(kind)]
        read = {}
        for key, value in values.items():
            inner = f"{path}.{key}" if path else str(key)
            if key not in names:
                raise ValueError(
                    f"unknown key {inner!r}; {suggest(key, sorted(names))}"
                )
            read[key] = self.read(value, hints[key], inner, getattr(now, key, None))
        return read

    def _items(self, values, wanted, path):
        origin, kinds = typing.get_origin(wanted), typing.get_args(wanted)
        if origin is not tuple or kinds[-1] is ...:
            kinds = kinds[:1] * len(values)
        if len(kinds) != len(values):
            raise ValueError(
                f"{path} must have {len(kinds)} items, not {values!r:.80}."
            )
        return _SEQUENCES[origin](
            self.read(value, kind, f"{path}[{index}]")
            for index, (value, kind) in enumerate(zip(values, kinds, strict=True))
        )

    def _kinds(self, wanted):
        """Returns the types that a field may have."""
        if typing.get_origin(wanted) not in (typing.Union, types.UnionType):
            return (wanted,)
        return tuple(k for k in typing.get_args(wanted) if k not in self.skipped)


def _is_plain(value):
    """Says whether TensorFlow and the Model Garden's configs can hold a value."""
    if isinstance(value, (list, tuple)):
        return all(
            not isinstance(item, (list, tuple)) and _is_plain(item) for item in value
        )
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return abs(value) < 2**63
    return value is None or isinstance(value, str)


def _name(kind):
    if kind is Any:
        return "str, float, list or null"
    if kind is type(None):
        return "null"
    if typing.get_origin(kind) in _SEQUENCES:
        inner = [_name(k) for k in typing.get_args(kind) if k is not ...]
        return f"list of {', '.join(inner)}"
    return getattr(kind, "__name__", str(kind))
