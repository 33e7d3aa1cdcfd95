"""Behavior of taking classes and splits from paths."""

import pytest

from grw_tf.data.listing.folder_layout import lay_out
from grw_tf.data.listing.split_names import canonical_split


@pytest.mark.parametrize(
    "names, split",
    [
        (["train", "Train", "TRAIN", "training", "train_set", "Train-Videos"], "train"),
        (["Train1", "01_train", "train 2", "train_256", "train_set_1"], "train"),
        (["02_test", "Test1", "1-test", "test_01_videos"], "test"),
        (["val", "valid", "Validation", "validate", "dev", "val_set"], "validation"),
        (["test", "TESTING", "test_set", "test set", "testset", " Test"], "test"),
        (["", *"eval holdout contest protest set traffic data 1 set1".split()], None),
    ],
)
def test_usual_names_of_splits(names, split):
    assert {canonical_split(name) for name in names} == {split}


def _places(*names):
    return lay_out(names).places


def test_splits_of_any_case_and_usual_names():
    places = _places("Train/run/a", "VAL/run/a", "test_set/run/a")
    assert {label for label, _ in places.values()} == {"run"}
    assert [split for _, split in places.values()] == ["train", "validation", "test"]


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
    labels = {label for label, _ in layout.places.values()}
    assert labels == {name.split("/")[0] for name in names}
    assert not layout.left_out and not layout.split_folders


def test_videos_beside_classes_and_splits_are_left_out():
    names = "a train/b train/run/c test/d holdout/run/e more/f"
    layout = lay_out(names.split())
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


def test_folder_around_split_folders_is_passed_over():
    layout = lay_out(["set/train/run/a", "set/train/jump/b", "set/test/run/c", "d"])
    assert layout.places == {
        "set/train/run/a": ("run", "train"),
        "set/train/jump/b": ("jump", "train"),
        "set/test/run/c": ("run", "test"),
    }
    assert layout.left_out == {"d": "video in no class folder"}
    assert layout.split_folders == ("set/train", "set/test")
    assert "the folder set alone holds videos" in layout.warnings[0]
    # One class may have persons' folders in its split folders.
    layout = lay_out(["run/train/anna/a", "run/test/anna/b"])
    assert {label for label, _ in layout.places.values()} == {"run"}


def test_folders_named_as_splits_that_become_classes_are_told():
    (warning,) = lay_out(["train_clips/a", "test_clips/b"]).warnings
    assert "test_clips, train_clips are named as splits, but taken for cl" in warning
    assert not lay_out(["train/a", "bus/a"]).warnings


@pytest.mark.parametrize("names", [("Train1", "Test1"), ("01_train", "02_test")])
def test_numbers_in_names_of_splits_do_not_matter(names):
    places = _places(*(f"{name}/run/a" for name in names))
    assert list(places.values()) == [("run", "train"), ("run", "test")]
