"""Behavior of names of classes: composed, in order, and told if alike."""

import unicodedata

import pytest

from grw_tf.common.class_names import (
    normal_name,
    normal_names,
    sort_class_names,
    warn_of_alike,
)

COMPOSED = "café"
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)


def test_composed_and_decomposed_names_are_one():
    assert COMPOSED != DECOMPOSED
    assert normal_name(DECOMPOSED) == normal_name(COMPOSED) == COMPOSED
    assert normal_names(["b", DECOMPOSED, "a"], "x") == ("b", COMPOSED, "a")


def test_recorded_names_that_would_become_one_stay(caplog):
    names = (COMPOSED, DECOMPOSED)
    assert normal_names(names, "labels.txt") == names
    assert "labels.txt has 'café' twice, composed and decomposed" in caplog.text


@pytest.mark.parametrize(
    "names, ordered",
    [
        (["10", "2", "0", "1"], ["0", "1", "2", "10"]),
        (["-1", "10", "9", "1.5"], ["-1", "1.5", "9", "10"]),
        (["01", "1", "2"], ["01", "1", "2"]),
        (["10", "9", "run"], ["10", "9", "run"]),
        (["b", "B", "a", "a"], ["B", "a", "b"]),
        (["1e3", "2"], ["1e3", "2"]),
        ([], []),
    ],
)
def test_order_of_classes(names, ordered):
    assert sort_class_names(names) == tuple(ordered)


def test_names_alike_are_told_with_their_videos(caplog):
    warn_of_alike(["Run", "run", "run", "high jump", " highjump", "walk"], "DIR")
    first, second = caplog.messages
    assert "DIR has the classes ' highjump' (1 videos) and 'high jump' (1 vid" in first
    assert "'Run' (1 videos) and 'run' (2 videos)" in second
    caplog.clear()
    warn_of_alike(["1", "01", "2"], "DIR")
    assert "'01' (1 videos) and '1' (1 videos)" in caplog.text
    caplog.clear()
    warn_of_alike(["run", "runs", "1", "10"], "DIR")
    assert not caplog.text


@pytest.mark.parametrize(
    "names",
    [
        ("run", "run\u200b"),
        ("run", "\uff52\uff55\uff4e"),
        ("long jump", "long_jump"),
        ("long-jump", "Longjump"),
        ("1", "\uff101"),
    ],
)
def test_names_that_look_alike_are_told(caplog, names):
    warn_of_alike(names, "videos")
    assert f"videos has the classes {min(names)!r}" in caplog.text


@pytest.mark.parametrize("names", [("1", "-1"), ("-", "_"), ("run", "runs")])
def test_names_that_do_not_look_alike_are_not(caplog, names):
    warn_of_alike(names, "videos")
    assert not caplog.text
