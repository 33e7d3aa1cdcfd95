"""Behaviour of taking classes and splits from paths."""

import pytest

from grw_tf.data.folder_layout import lay_out
from grw_tf.data.split_names import canonical_split


@pytest.mark.parametrize(
    "names, split",
    [
        (["train", "Train", "TRAIN", "training", "train_set", "Train-Videos"], "train"),
        (["val", "valid", "Validation", "validate", "dev", "val_set"], "validation"),
        (
            ["test", "Test", "TESTING", "test_set", "test set", "testset", " Test"],
            "test",
        ),
        (["eval", "holdout", "contest", "protest", "set", "traffic", "", "data"], None),
    ],
)
def test_usual_names_of_splits(names, split):
    assert {canonical_split(name) for name in names} == {split}


def _places(*names):
    return lay_out(names).places


def test_splits_of_any_case_and_usual_names():
    places = _places("Train/run/a", "VAL/run/a", "test_set/run/a")
    assert list(places.values()) == [
        ("run", "train"),
        ("run", "validation"),
        ("run", "test"),
    ]


def test_videos_of_persons_are_of_the_class():
    assert _places("run/a", "run/anna/b", "jump/ben/1/c") == {
        "run/a": ("run", ""),
        "run/anna/b": ("run", ""),
        "jump/ben/1/c": ("jump", ""),
    }
    assert _places("test/run/anna/a", "train/run/ben/b") == {
        "test/run/anna/a": ("run", "test"),
        "train/run/ben/b": ("run", "train"),
    }


@pytest.mark.parametrize(
    "names",
    [
        ("test/a", "run/a"),
        ("test/anna/a", "run/anna/a"),
        ("train/a", "bus/a"),
        ("train/a", "train/anna/b", "bus/a"),
        ("test/a", "train/a", "val/a"),
    ],
)
def test_class_may_be_named_as_a_split(names):
    layout = lay_out(names)
    assert {label for label, _ in layout.places.values()} == {
        name.split("/")[0] for name in names
    }
    assert not layout.left_out and not layout.split_folders


def test_videos_beside_classes_and_splits_are_left_out():
    layout = lay_out(
        ["a", "train/b", "train/run/c", "test/d", "holdout/run/e", "more/f"]
    )
    assert layout.places == {"train/run/c": ("run", "train")}
    none, beside = "video in no class folder", "video beside the split folders train"
    assert layout.left_out == {
        **dict.fromkeys(["a", "train/b", "test/d"], none),
        **dict.fromkeys(["holdout/run/e", "more/f"], beside),
    }
    assert lay_out(["a", "run/b"]).left_out == {"a": none}


def test_two_folders_of_one_split_are_told():
    layout = lay_out(["val/run/a", "validation/run/a", "train/run/a"])
    assert len(layout.places) == 3
    assert layout.places["val/run/a"] == ("run", "validation")
    (warning,) = layout.warnings
    assert warning.startswith("the folders val, validation are taken together as the")


def test_split_folders_within_class_folders():
    names = ("run/Train/a", "run/test/b", "jump/train/anna/a", "jump/val/b")
    layout = lay_out(names)
    assert list(layout.places.values()) == [
        ("run", "train"),
        ("run", "test"),
        ("jump", "train"),
        ("jump", "validation"),
    ]
    assert not layout.warnings
    layout = lay_out([*names, "run/c"])
    assert set(layout.places.values()) == {("run", ""), ("jump", "")}
    (warning,) = layout.warnings
    assert "jump/val, run/Train, run/test are named as splits" in warning


def test_folder_around_the_class_folders_is_told():
    (warning,) = lay_out(["videos/run/a", "videos/jump/a"]).warnings
    assert "one class 'videos'; if the folders jump, run are its classes" in warning
    assert not lay_out(["run/anna/a", "jump/anna/a"]).warnings
