"""Tests of suggestions for unknown names."""

import pytest

from grw_tf.common.suggestions import nearest_name, suggest


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("widht", "did you mean 'width'?"),
        ("WIDTH", "did you mean 'width'?"),
        ("depth", "did you mean 'Depth'?"),
        ("zzz", "known: width, Depth."),
        (None, "known: width, Depth."),
    ],
)
def test_nearest_name_or_all_names(name, hint):
    assert suggest(name, iter(["width", "Depth"])) == hint


def test_names_must_be_similar_enough():
    assert nearest_name("widht", ["width"], similarity=0.9) is None
    assert nearest_name("x", []) is None
