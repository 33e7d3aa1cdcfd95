"""Behavior of the TFDS data set of labeled clips: as the one-machine path.

What builds needs Apache Beam, and is skipped without; what reads does not.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from drawn_videos import BLUE, RED, greys, write_video

from grw_tf.data.labelled_clips import LabelledClips, LabelledClipsConfig
from grw_tf.data.preparation.config import PreparationConfig
from grw_tf.data.preparation.prepare import prepare
from grw_tf.data.records.sequence_examples import (
    FRAME_RATE,
    FRAMES,
    LABEL_INDEX,
    SOURCE,
)
from grw_tf.data.tfds_source import TfdsSource

_ROOT = Path(__file__).parents[2]
_SETTINGS = {"fps": 4.0, "short_side": 32, "jpeg_quality": 70}
_ONE_WORKER = ["--runner=FnApiRunner"]
_TWO_WORKERS = [*_ONE_WORKER, "--direct_num_workers=2"]
_TWO_WORKERS += ["--direct_running_mode=multi_processing"]


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Ten good videos of two classes, no two alike, and two broken ones."""
    root = tmp_path_factory.mktemp("videos")
    for index in range(5):
        colors = [(20 * k, 40 * index, 100) for k in range(8 + index)]
        write_video(root / f"run/run{index}.mp4", colors, right=RED)
        write_video(root / f"jump/jump{index}.mp4", colors, right=BLUE)
    os.rename(root / "run/run0.mp4", os.fsencode(root) + b"/run/\xff.mp4")
    (root / "run/empty.mp4").touch()
    (root / "jump/noise.avi").write_bytes(b"not a video")
    return root


@pytest.fixture(scope="module")
def config(videos):
    return LabelledClipsConfig(name="toy", input=str(videos), **_SETTINGS)


@pytest.fixture(scope="module")
def data_dir(config, tmp_path_factory):
    """Where the set is, built by two workers in processes of their own."""
    data_dir = tmp_path_factory.mktemp("tensorflow_datasets")
    _build(config, data_dir, _TWO_WORKERS)
    return data_dir


@pytest.fixture(scope="module")
def records(videos, tmp_path_factory):
    """What the one-machine path makes of the same videos."""
    output = tmp_path_factory.mktemp("records")
    _prepare(output, input=str(videos))
    return output


def _build(config, data_dir, flags=_ONE_WORKER):
    options = pytest.importorskip("apache_beam.options.pipeline_options")
    builder = tfds.builder("labelled_clips", config=config, data_dir=data_dir)
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(
            beam_options=options.PipelineOptions(flags), try_download_gcs=False
        )
    )
    return builder


def _prepare(output, **fields):
    prepare(PreparationConfig(output_dir=str(output), workers=1, **_SETTINGS | fields))


def _clips_of_records(folder):
    clips = []
    for path in sorted(folder.glob("*.tfrecord")):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            example = tf.train.SequenceExample.FromString(record)
            context = example.context.feature
            frames = example.feature_lists.feature_list[FRAMES].feature
            clips.append(
                (
                    path.name.split("-")[0],
                    context[SOURCE].bytes_list.value[0],
                    context[LABEL_INDEX].int64_list.value[0],
                    context[FRAME_RATE].float_list.value[0],
                    [frame.bytes_list.value[0] for frame in frames],
                )
            )
    return sorted(clips)


def _label_lists_of_records(folder):
    found = []
    for path in sorted(folder.glob("*.tfrecord")):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            context = tf.train.SequenceExample.FromString(record).context.feature
            labels = context[LABEL_INDEX].int64_list.value
            found.append((context[SOURCE].bytes_list.value[0], list(labels)))
    return sorted(found)


def _clips_of(builder):
    return sorted(
        (split, e["source"], e["label"], e["fps"], e["video"].tolist())
        for split in builder.info.splits
        for e in tfds.as_numpy(
            builder.as_dataset(split, decoders={"video": tfds.decode.SkipDecoding()})
        )
    )


def _without_beam(monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)


@pytest.mark.slow
def test_clips_are_those_of_the_one_machine_path(config, data_dir, records):
    builder = tfds.builder("labelled_clips", config=config, data_dir=data_dir)
    clips = _clips_of(builder)
    assert clips == _clips_of_records(records)
    assert len(clips) == 10 and {len(clip[-1]) for clip in clips} == {4, 5}
    assert {clip[0] for clip in clips} == {"train", "validation", "test"}
    assert len({frame for clip in clips for frame in clip[-1]}) > 30
    labels = (records / "labels.txt").read_text().splitlines()
    assert builder.info.features["label"].names == labels


@pytest.mark.slow
def test_broken_videos_are_left_out_and_listed(data_dir, records):
    (listed,) = data_dir.rglob("failures.json")
    failures = json.loads(listed.read_text())
    paths = [failure["path"] for failure in failures]
    assert paths == ["jump/noise.avi", "run/empty.mp4"]
    manifest = json.loads((records / "manifest.json").read_text())
    assert failures == manifest["failures"]


@pytest.mark.slow
def test_only_sampled_frames_need_decoding(data_dir):
    builder = tfds.builder("labelled_clips/toy", data_dir=data_dir)
    image = builder.info.features["video"].feature
    skipping = {"video": tfds.decode.SkipDecoding()}
    encoded = builder.as_dataset("train", decoders=skipping)

    def every_other(example):
        jpegs = example["video"][::2]
        return tf.map_fn(image.decode_example, jpegs, fn_output_signature=tf.uint8)

    decoded = builder.as_dataset("train")
    for frames, example in zip(encoded.map(every_other), decoded, strict=True):
        assert frames.shape[1:] == (32, 43, 3)
        np.testing.assert_array_equal(frames, example["video"][::2])


@pytest.mark.slow
def test_reading_needs_no_beam(config, data_dir, monkeypatch):
    _without_beam(monkeypatch)
    builder = LabelledClips(config=config, data_dir=data_dir)
    assert builder.info.features["label"].names == ["jump", "run"]
    assert next(iter(builder.as_dataset("test")))["video"].dtype == tf.uint8


def test_building_without_beam_names_the_extra(config, tmp_path, monkeypatch):
    _without_beam(monkeypatch)
    with pytest.raises(ImportError, match=r"pip install '\.\[beam\]'") as error:
        LabelledClips(config=config, data_dir=tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_one_name_for_two_configs_is_refused(videos, data_dir):
    other = LabelledClipsConfig(name="toy", input=str(videos), **_SETTINGS | {"fps": 2})
    with pytest.raises(ValueError, match="config 'toy' with other fps: give"):
        LabelledClips(config=other, data_dir=data_dir)


def test_table_of_segments(tmp_path, monkeypatch):
    beam = pytest.importorskip("apache_beam")
    results = []
    monkeypatch.setattr(
        LabelledClips,
        "_process_pipeline_result",
        lambda _, pipeline_result: results.append(pipeline_result),
    )
    write_video(tmp_path / "take.mp4", greys(12))
    (tmp_path / "labels.txt").write_text("walk\nrun\njump\n")
    (tmp_path / "list.csv").write_text(
        "path,label,split,start,end\ntake.mp4,run,train,0,0.5\n"
        "take.mp4,jump,train,0.5,\ntake.mp4,run,fold-2,0,\ntake.mp4,run,train,9,\n"
    )
    fields = {"csv": str(tmp_path / "list.csv"), "labels": str(tmp_path / "labels.txt")}
    config = LabelledClipsConfig(name="segments", **_SETTINGS, **fields)
    builder = _build(config, tmp_path / "tfds")
    _prepare(tmp_path / "records", **fields)
    clips = _clips_of(builder)
    expected = _clips_of_records(tmp_path / "records")
    assert [clip[1:] for clip in clips] == [clip[1:] for clip in expected]
    counts = [(clip[0], clip[2], len(clip[-1])) for clip in clips]
    assert counts == [("fold-2", 1, 5), ("train", 1, 2), ("train", 2, 3)]
    ours = beam.metrics.MetricsFilter().with_namespace("labelled_clips")
    counters = results[0].metrics().query(ours)["counters"]
    assert {counter.key.metric.name: counter.committed for counter in counters} == {
        "clips": 3,
        "frames": 10,
        "videos_left_out": 1,
    }


@pytest.mark.parametrize(
    "settings, cells",
    [
        ({"label_separator": "|"}, ("walk|run", "", "run", "walk")),
        ({"negative_label": "rest"}, ("walk", "rest", "walk", "rest")),
    ],
)
def test_videos_of_several_labels_or_none(tmp_path, settings, cells):
    pytest.importorskip("apache_beam")
    lines = ["path,label,split"]
    for index, cell in enumerate(cells):
        write_video(tmp_path / f"{index}.mp4", greys(8))
        lines.append(f"{index}.mp4,{cell},train")
    table = tmp_path / "list.csv"
    table.write_text("\n".join(lines) + "\n")
    fields = {"csv": str(table)} | settings
    config = LabelledClipsConfig(name="several", **_SETTINGS, **fields)
    built = _build(config, tmp_path / "tfds")
    _prepare(tmp_path / "records", **fields)
    names = (tmp_path / "records" / "labels.txt").read_text().splitlines()
    # Read by its name too, as training does.
    read = tfds.builder("labelled_clips/several", data_dir=tmp_path / "tfds")
    for builder in (built, read):
        assert builder.info.features["label"].feature.names == names
        examples = tfds.as_numpy(
            builder.as_dataset("train", decoders={"video": tfds.decode.SkipDecoding()})
        )
        clips = sorted((e["source"], e["label"].tolist()) for e in examples)
        assert clips == _label_lists_of_records(tmp_path / "records")
    assert sorted(len(labels) for _, labels in clips) in ([0, 1, 1, 2], [0, 0, 1, 1])
    source = TfdsSource(
        "labelled_clips/several", "train", str(tmp_path / "tfds"), several_labels=True
    )
    assert list(source.class_names) == names
    # Another way to read the labels is another data set.
    other = LabelledClipsConfig(name="several", **_SETTINGS, csv=str(table))
    differing = next(iter(settings))
    with pytest.raises(ValueError, match=f"with other {differing}: give"):
        LabelledClips(config=other, data_dir=tmp_path / "tfds")


def test_background_among_lists_of_labels_is_refused():
    with pytest.raises(ValueError, match="a clip of none of the classes has no label"):
        LabelledClipsConfig(name="x", label_separator="|", background_ratio=0.5)


def test_strict_build_stops_at_a_broken_video(videos, tmp_path):
    config = LabelledClipsConfig(name="strict", input=str(videos), strict=True)
    with pytest.raises(ValueError, match="empty.mp4 The file is empty|noise.avi Inv"):
        _build(config, tmp_path)
    assert not list(tmp_path.rglob("*.tfrecord*"))


@pytest.mark.parametrize("split", ["all", "part.1"])
def test_split_that_tfds_cannot_read_is_told(tmp_path, split):
    pytest.importorskip("apache_beam")
    table = tmp_path / "list.csv"
    table.write_text(f"path,label,split\na.mp4,run,{split}\n")
    config = LabelledClipsConfig(name="split", csv=str(table))
    with pytest.raises(ValueError, match=f"The split '{split}' is one that TFDS"):
        LabelledClips(config=config, data_dir=tmp_path)._split_generators(None, None)


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"fps": "5"}, "fps is '5': expected float"),
        ({"short_side": 1.5}, "short_side is 1.5: expected int"),
        ({"min_frames": True}, "min_frames is True: expected int"),
        ({"strict": 1}, "strict is 1: expected bool"),
        ({"fps": 0}, "fps is 0: it must be above 0"),
        ({"jpeg_quality": 101}, "jpeg_quality is 101: it must be 1 to 100"),
    ],
)
def test_wrong_settings_are_told(fields, message):
    with pytest.raises(ValueError, match=message):
        LabelledClipsConfig(name="wrong", **fields)


@pytest.mark.slow
def test_tfds_build_takes_the_settings_as_json(videos, config, data_dir, tmp_path):
    pytest.importorskip("mlcroissant")
    settings = {"name": "toy", "input": os.path.relpath(videos, _ROOT)} | _SETTINGS
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tensorflow_datasets.scripts.cli.main"),
            *("build", "labelled_clips", "--imports=grw_tf.data.labelled_clips"),
            *(f"--config={json.dumps(settings)}", f"--data_dir={tmp_path}"),
            "--beam_pipeline_options=runner=FnApiRunner",
        ],
        cwd=_ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "2 of 12 videos are left out:\njump/noise.avi  Invalid data" in done.stdout
    built, again = (
        tfds.builder("labelled_clips", config=config, data_dir=folder)
        for folder in (data_dir, tmp_path)
    )
    assert _clips_of(built) == _clips_of(again)
