"""Nested mappings as flat ones, whose keys are paths with dots."""

from collections.abc import Mapping
from typing import Any


def flat(values: Any, path: str = "") -> dict[str, Any]:
    """Returns the leaves of nested mappings by their paths, as "task.model.size"."""
    if not isinstance(values, Mapping):
        return {path: values}
    return {
        key: value
        for name, inner in values.items()
        for key, value in flat(inner, f"{path}.{name}" if path else str(name)).items()
    }


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the nested mappings that `flat` made flat."""
    found: dict[str, Any] = {}
    for path, value in values.items():
        *outer, last = path.split(".")
        inner = found
        for name in outer:
            inner = inner.setdefault(name, {})
        inner[last] = value
    return found
