"""Tests of reading nested mappings as dataclasses say."""

import dataclasses
from collections.abc import Sequence

import pytest

from grw_tf.common.typed_mapping import MappingReader


@dataclasses.dataclass
class Inner:
    rate: float = 0.0
    names: tuple[str, ...] = ()
    sizes: Sequence[int] = ()
    pair: tuple[int, str] = (0, "")


@dataclasses.dataclass
class Derived(Inner):
    more: bool = False


@dataclasses.dataclass
class Outer:
    inner: Inner = dataclasses.field(default_factory=Inner)
    seed: int | None = None
    mixed: str | dict = ""


def _read(values, now=None):
    return MappingReader(lambda kind, fields, _: kind(**fields)).read(
        values, Outer, now=now
    )


def test_values_become_those_of_the_fields():
    inner = {"rate": 1, "names": ["a", "b"], "sizes": (1, 2), "pair": [3, "c"]}
    found = _read({"inner": inner, "seed": None, "mixed": "x"})
    assert found == Outer(Inner(1.0, ("a", "b"), [1, 2], (3, "c")), None, "x")
    assert type(found.inner.rate) is float


def test_present_value_says_which_class_is_read():
    assert _read({"inner": {"more": True}}, Outer(Derived())).inner == Derived(
        more=True
    )


def test_made_values_are_those_of_make():
    made = []
    reader = MappingReader(lambda kind, fields, path: made.append((kind, path)))
    reader.read({"inner": {"rate": 0.5}}, Outer)
    assert made == [(Inner, "inner"), (Outer, "")]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], r"all of it must be a mapping of keys, not \[\]"),
        ({"inner": None}, "inner must be a mapping of keys, not null: leave it out"),
        ({"inner": {"rat": 1}}, "unknown key 'inner.rat'; did you mean 'rate'"),
        ({1: 2}, "unknown key '1'; known: inner, mixed, seed"),
        ({"seed": True}, "seed must be of type int or null, not True"),
        ({"seed": 2.0}, "seed must be of type int or null, not 2.0"),
        ({"seed": 2**63}, "seed must be of type int or null, not 9223"),
        ({"inner": {"rate": "1"}}, "inner.rate must be of type float, not '1'"),
        (
            {"inner": {"rate": float("nan")}},
            "inner.rate must be of type float, not nan",
        ),
        ({"inner": {"names": "ab"}}, "names must be of type list of str, not 'ab'"),
        (
            {"inner": {"names": ["a", 1]}},
            r"inner.names\[1\] must be of type str, not 1",
        ),
        ({"inner": {"pair": [1]}}, r"inner.pair must have 2 items, not \[1\]"),
    ],
)
def test_other_keys_and_types_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        _read(values)
