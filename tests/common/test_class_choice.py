"""Tests of choosing some of a model's classes."""

import pytest

from grw_tf.common.class_choice import chosen_classes

NAMES = ("run", "jump, high", "walk", "café")


def test_names_keep_the_order_of_the_user():
    assert chosen_classes("walk, run", NAMES) == (2, 0)
    assert chosen_classes("", NAMES) is None


def test_names_may_have_commas_alone_and_in_files(tmp_path):
    assert chosen_classes("jump, high", NAMES) == (1,)
    file = tmp_path / "some.txt"
    file.write_text("jump, high\nwalk\n")
    assert chosen_classes(str(file), NAMES) == (1, 2)


def test_names_may_be_decomposed():
    assert chosen_classes("cafe\u0301,run", NAMES) == (3, 0)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("run,wlak", "'wlak', which is not a class .* did you mean 'walk'"),
        ("zzz", "known: run, jump, high, walk, café"),
        ("run,run", "names 'run' twice"),
        ("run,,walk", "names ''"),
    ],
)
def test_unknown_and_repeated_names_are_told(given, words):
    with pytest.raises(ValueError, match=words):
        chosen_classes(given, NAMES)
