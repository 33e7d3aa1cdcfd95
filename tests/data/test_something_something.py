"""Tests of the published layout of Something-Something-v2, on generated files."""

import json

import pytest
import tensorflow as tf
from drawn_videos import BLUE, RED, write_video

from grw_tf.common.labels_file import read_labels
from grw_tf.data.listing.something_something import (
    list_published,
    read_published_labels,
)
from grw_tf.data.preparation.config import PreparationConfig
from grw_tf.data.preparation.prepare import prepare

# Not in the order of the alphabet.
LABELS = {"Opening something": "1", "Holding something next to something": "0"}
HOLDING, OPENING = "Holding [something] next to [something]", "Opening [something]"


def _entry(number, template):
    return {
        "id": str(number),
        "label": template.lower().replace("[something]", "a box"),
        "template": template,
        "placeholders": ["a box"] * template.count("["),
    }


def _write(folder, prefix="", labels=LABELS, train=None, validation=None):
    folder.mkdir(exist_ok=True)
    default = [_entry(20, OPENING), _entry(3, HOLDING)]
    files = {
        "labels": labels,
        "train": default if train is None else train,
        "validation": [_entry(7, OPENING)] if validation is None else validation,
        "test": [{"id": "9"}],
    }
    for name, content in files.items():
        (folder / f"{prefix}{name}.json").write_text(json.dumps(content))
    return folder


@pytest.fixture(scope="module")
def webm(tmp_path_factory):
    """Videos 3, 7, 9 and 20 of 12 frames, blue ones of the class that opens."""
    root = tmp_path_factory.mktemp("20bn-something-something-v2")
    for number, color in ((20, BLUE), (3, RED), (7, BLUE), (9, RED)):
        write_video(root / f"{number}.webm", [color] * 12, rate=12, codec="libvpx-vp9")
    return root


@pytest.mark.parametrize("prefix", ["", "something-something-v2-"])
def test_videos_have_published_splits_and_classes(tmp_path, webm, prefix):
    found = list_published(_write(tmp_path / "labels", prefix), webm)
    assert [(video.name, video.label, video.split) for video in found] == [
        ("20.webm", "Opening something", "train"),
        ("3.webm", "Holding something next to something", "train"),
        ("7.webm", "Opening something", "validation"),
    ]
    assert all(video.path.is_file() for video in found)


def test_records_have_the_published_indices(tmp_path, webm):
    labels = _write(tmp_path / "labels")
    output = tmp_path / "records"
    config = PreparationConfig(
        annotations=str(labels),
        input=str(webm),
        output_dir=str(output),
        fps=12.0,
        workers=1,
    )
    manifest = prepare(config)
    assert manifest["failures"] == []
    # The test split, without classes.
    (left_out,) = manifest["left_out"]
    assert (left_out["files"], left_out["is_fault"]) == (1, False)
    assert read_labels(output / "labels.txt") == (
        "Holding something next to something",
        "Opening something",
    )
    indices = {}
    for split in ("train", "validation"):
        paths = [str(path) for path in output.glob(f"{split}-*.tfrecord")]
        for record in tf.data.TFRecordDataset(paths).as_numpy_iterator():
            features = tf.train.SequenceExample.FromString(record)
            label = features.context.feature["clip/label/index"].int64_list.value[0]
            frames = features.feature_lists.feature_list["image/encoded"].feature
            picture = tf.io.decode_jpeg(frames[0].bytes_list.value[0])
            is_blue = bool(picture[0, 0, 2] > picture[0, 0, 0])
            indices.setdefault(split, []).append((label, is_blue, len(frames)))
    assert {split: sorted(found) for split, found in indices.items()} == {
        "train": [(0, False, 12), (1, True, 12)],
        "validation": [(1, True, 12)],
    }


def test_video_that_is_not_there_is_a_failure(tmp_path, webm):
    labels = _write(tmp_path / "labels", validation=[_entry(8, OPENING)])
    config = PreparationConfig(
        annotations=str(labels),
        input=str(webm),
        output_dir=str(tmp_path / "records"),
        workers=1,
    )
    (failure,) = prepare(config)["failures"]
    assert failure["path"].endswith("8.webm")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"labels": []}, "labels.json is not an object of classes and indices"),
        ({"labels": {"Opening something": "x"}}, "labels.json is not an object of"),
        ({"labels": {"A": "1", "B": "2"}}, "its 2 classes from 0 to 1, each once"),
        ({"labels": {"A": "0", "B": "0"}}, "its 2 classes from 0 to 1, each once"),
        ({"train": {}}, "train.json is not a list of videos"),
        ({"train": [{"id": "1"}]}, "train.json, entry 1 has no id and template"),
        ({"train": ["1"]}, "train.json, entry 1 has no id and template"),
        ({"train": [_entry("../1", OPENING)]}, "the id is '../1', not a number"),
        (
            {"train": [_entry(1, "Closing [something]")]},
            "entry 1: the class 'Closing something' is not in labels.json",
        ),
        (
            {"validation": [_entry(3, OPENING)]},
            "validation.json, entry 1: the video 3 is listed before, in train",
        ),
    ],
)
def test_other_forms_are_refused_in_one_line(tmp_path, webm, files, message):
    labels = _write(tmp_path / "labels", **files)
    with pytest.raises(ValueError) as refused:
        list_published(labels, webm)
    assert message in str(refused.value)
    assert str(refused.value).isprintable()


def test_missing_and_unreadable_files_are_refused(tmp_path, webm):
    labels = _write(tmp_path / "labels")
    (labels / "train.json").unlink()
    with pytest.raises(ValueError, match="must have one train.json.* it has none"):
        list_published(labels, webm)
    (labels / "labels.json").write_text("{")
    with pytest.raises(ValueError, match="labels.json is not JSON in UTF-8"):
        read_published_labels(labels)
    with pytest.raises(ValueError, match="none is not a folder: expected labels.json"):
        read_published_labels(tmp_path / "none")
    with pytest.raises(ValueError, match="none is not a folder: expected videos"):
        list_published(labels, tmp_path / "none")


def test_annotations_exclude_what_they_say_themselves():
    with pytest.raises(ValueError, match="leave out csv and labels"):
        PreparationConfig(annotations="labels", input="webm", csv="list.csv")
    with pytest.raises(ValueError, match="give the folder of the videos"):
        PreparationConfig(annotations="labels")
