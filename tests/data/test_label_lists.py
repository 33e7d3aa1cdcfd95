"""Tests of videos with any number of labels, from tables and folders to records."""

import collections
import json
import pathlib

import pytest
import tensorflow as tf
from drawn_videos import greys, write_video

from grw_tf.data.listing.label_lists import with_label_lists
from grw_tf.data.listing.splits import assign_splits
from grw_tf.data.listing.video_list import Video
from grw_tf.data.preparation.chosen_videos import class_names, list_videos
from grw_tf.data.preparation.config import PreparationConfig
from grw_tf.data.preparation.manifest import report
from grw_tf.data.preparation.prepare import prepare
from grw_tf.data.records.record_source import RecordSource
from grw_tf.data.records.sequence_examples import LABEL_INDEX, LABEL_TEXT, check_records


def _videos(*labels):
    return [
        Video(pathlib.Path(f"{k}.mp4"), f"{k}.mp4", label, "", f"{k}")
        for k, label in enumerate(labels)
    ]


def _listed(separator, none, *labels):
    videos = with_label_lists(_videos(*labels), separator, none, "table.csv")
    return [video.labels for video in videos]


def test_texts_are_lists_of_labels():
    found = _listed("|", "", "smile| walk", "walk", "", " | walk |walk")
    assert found == [("smile", "walk"), ("walk",), (), ("walk",)]


def test_without_a_separator_a_text_is_one_label():
    assert _listed("", "no", "a|b", "no") == [("a|b",), ()]


def test_negative_label_is_no_class():
    assert _listed("|", "no fall", "fall", "no fall") == [("fall",), ()]


@pytest.mark.parametrize(
    ("none", "labels", "words"),
    [
        ("no_fal", ("fall", "no_fall"), "did you mean 'no_fall'"),
        ("no", ("fall|no", "no"), "'no' stands for none, so leave out the others"),
        ("no", ("no", "no"), "No video of table.csv has a class"),
        ("", ("", ""), "No video of table.csv has a class"),
    ],
)
def test_lists_that_make_no_sense_are_told(none, labels, words):
    with pytest.raises(ValueError, match=words):
        _listed("|", none, *labels)


def test_each_class_and_no_class_are_in_all_splits():
    labels = ["a", "a|b", "b", "c|a", ""] * 10
    videos = with_label_lists(_videos(*labels), "|", "", "table.csv")
    counts = collections.defaultdict(collections.Counter)
    for video in assign_splits(videos, 0.2, 0.2):
        counts[video.split].update(video.labels or ("none",))
    for split in ("validation", "test"):
        assert counts[split].keys() == {"a", "b", "c", "none"}
        assert 4 <= counts[split]["a"] <= 8


@pytest.fixture
def table(tmp_path):
    """A table of three videos with none, one and two labels."""
    for name in "xyz":
        write_video(tmp_path / f"{name}.mp4", greys(4))
    text = "path;label;split\nx.mp4;b, too|a;train\ny.mp4;;train\nz.mp4;a;train\n"
    (tmp_path / "table.csv").write_text(text)
    return tmp_path / "table.csv"


def _config(table, **fields):
    fields = {"label_separator": "|", "workers": 1} | fields
    output = str(table.parent / "records")
    return PreparationConfig(csv=str(table), output_dir=output, fps=10.0, **fields)


def test_records_and_manifest_list_labels(table):
    manifest = prepare(_config(table))
    folder = table.parent / "records"
    assert (folder / "labels.txt").read_text() == "a\nb, too\n"
    train = manifest["splits"]["train"]
    assert train["classes"] == {"a": 2, "b, too": 1} and train["without_class"] == 1
    assert train["majority_share"] == round(2 / 3, 4)
    assert "train has 1 clips of no class." in report(manifest)
    found = {}
    for record in tf.data.TFRecordDataset([str(p) for p in folder.glob("train-*")]):
        context = tf.train.SequenceExample.FromString(record.numpy()).context.feature
        name = context["clip/data_path"].bytes_list.value[0].decode()
        indices = list(context[LABEL_INDEX].int64_list.value)
        texts = [text.decode() for text in context[LABEL_TEXT].bytes_list.value]
        found[name] = indices, texts
    assert found == {
        "x.mp4": ([1, 0], ["b, too", "a"]),
        "y.mp4": ([], []),
        "z.mp4": ([0], ["a"]),
    }


def test_only_a_model_with_sigmoids_reads_them(table):
    prepare(_config(table))
    pattern = f"{table.parent}/records/train-*"
    assert RecordSource(pattern, several_labels=True).class_names == ("a", "b, too")
    with pytest.raises(ValueError, match="task.model.output_activation=sigmoid"):
        RecordSource(pattern)
    # As records of others, which have no manifest.
    (table.parent / "records" / "manifest.json").unlink()
    (path,) = check_records(pattern, several_labels=True)
    with pytest.raises(ValueError, match="expected one clip/label/index"):
        check_records(path)


def test_other_ways_to_list_labels_are_another_run(table):
    prepare(_config(table))
    with pytest.raises(ValueError, match=r"begun with .*label_separator"):
        prepare(_config(table, label_separator="||"))


def test_manifest_of_single_labels_says_nothing_of_lists(table):
    table.write_text("path,label,split\nx.mp4,a,train\nz.mp4,b,train\n")
    prepare(_config(table, label_separator=""))
    manifest = json.loads((table.parent / "records" / "manifest.json").read_text())
    assert "label_separator" not in manifest["settings"]
    assert "without_class" not in manifest["splits"]["train"]


def test_folders_become_a_binary_set(tmp_path):
    for name in ("fall/a", "no_fall/b"):
        write_video(tmp_path / "videos" / f"{name}.mp4", greys(4))
    config = PreparationConfig(input=str(tmp_path / "videos"), negative_label="no_fall")
    videos = list_videos(config)
    assert class_names(videos, config) == ("fall",)
    assert {video.name: video.labels for video in videos} == {
        "fall/a.mp4": ("fall",),
        "no_fall/b.mp4": (),
    }


def test_empty_cells_need_a_separator(table):
    with pytest.raises(ValueError, match="the cell of column label is empty"):
        prepare(_config(table, label_separator=""))


def test_names_that_tables_could_not_list_are_refused(table):
    table.write_text("path,label\nx.mp4,a | b\nz.mp4,c;d\n")
    with pytest.raises(ValueError, match="holds ' | ', which stands between"):
        prepare(_config(table, label_separator=";"))
    with pytest.raises(ValueError, match="label_separator is a space"):
        _config(table, label_separator=" ")
