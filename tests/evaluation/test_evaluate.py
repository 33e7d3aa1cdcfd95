"""Tests of evaluating a checkpoint on records."""

import csv
import dataclasses
import functools
import json
import pathlib

import cv2
import pytest
import tensorflow as tf
from clip_records import CLASSES, example_of, write_records
from toy_backbones import BACKBONES
from toy_heads import HEADS

from grw_tf.data.records.evaluation_records import EvaluationRecords
from grw_tf.evaluation import evaluate as evaluation
from grw_tf.evaluation.evaluate import EvaluationConfig, evaluate
from grw_tf.evaluation.perturbations import perturbed_accuracy
from grw_tf.evaluation.views import cut_views
from grw_tf.frames.geometry import FrameGeometry
from grw_tf.models import preset
from grw_tf.weights.restore import load_model

HEAD = HEADS["transformer"]


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    examples = [example_of(8 + k, label=k % 6, name=f"{k}.mp4") for k in range(7)]
    return write_records(folder, *examples)


@pytest.fixture(scope="module")
def model(nano):
    return nano(head=HEAD, num_classes=6)


@pytest.fixture(scope="module")
def checkpoint(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint") / "ckpt"
    return tf.train.Checkpoint(model=model).save(path)


@pytest.fixture(scope="module")
def evaluated(records, checkpoint, tmp_path_factory):
    """The results and the folder of each way to evaluate."""
    ways = {
        "one clip": {"batch_size": 3, "robustness": True},
        "views": {"batch_size": 4, "clips": 2, "crops": 3},
        "streaming": {"streaming": True},
    }
    done = {}
    with pytest.MonkeyPatch.context() as patch:
        # Building it anew takes longer than all else.
        patch.setattr(evaluation, "load_model", functools.cache(load_model))
        for way, fields in ways.items():
            folder = tmp_path_factory.mktemp("results") / "made" / way
            config = EvaluationConfig(checkpoint, records, str(folder), **fields)
            done[way] = evaluate(config), folder
    return done


def _rows(folder):
    with open(folder / "predictions.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("way", ["one clip", "views", "streaming"])
def test_results_predictions_and_figures_are_written(evaluated, way):
    results, folder = evaluated[way]
    written = json.loads((folder / "results.json").read_text())
    assert written == {k: v for k, v in results.items() if k != "table"}
    assert ("streaming" in written) == (way == "streaming")
    rows = _rows(folder)
    assert [row["path"] for row in rows] == [f"{k}.mp4" for k in range(7)]
    right = sum(row["label"] == row["predicted"] for row in rows)
    assert written["top_1"] == pytest.approx(right / 7)
    figures = {"confusion.png"}
    if way == "streaming":
        figures.add("accuracy_after_each_frame.png")
    names = {path.name for path in folder.iterdir()}
    assert names == figures | {"results.json", "predictions.csv"}
    for figure in figures:
        picture = cv2.imread(str(folder / figure))
        assert picture.min() < 100 and picture.max() == 255


def test_robustness_is_the_accuracy_on_perturbed_clips(evaluated, records, model):
    results = evaluated["one clip"][0]
    clips = EvaluationRecords(records, model.config)
    expected = perturbed_accuracy(model, clips, 3)
    assert results["robustness"] == expected
    line = f"Accuracy, noise                  {expected['accuracy_noisy']:.3f}"
    assert line in results["table"].splitlines()
    assert "robustness" not in evaluated["streaming"][0]


def test_settings_are_in_the_results(evaluated, records, checkpoint):
    assert evaluated["views"][0]["settings"] == {
        "checkpoint": checkpoint,
        "records": records,
        "batch_size": 4,
        "clips": 2,
        "crops": 3,
        "size": 0,
        "frame_fit": "",
        "streaming": False,
        "classes": "",
        "thresholds": "",
        "robustness": False,
        "model": {"frames": 8, "size": 32, "fps": 5.0, "frame_fit": "short_side"},
    }
    assert evaluated["streaming"][0]["settings"]["streaming"]


def _assert_likeliest(rows, probabilities):
    for row, expected in zip(rows, probabilities, strict=True):
        assert row["predicted"] == CLASSES[expected.argmax()]
        label = expected[CLASSES.index(row["label"])]
        assert float(row["probability_of_label"]) == pytest.approx(label, rel=1e-4)


def test_one_clip_is_the_middle_as_published(evaluated, records, model):
    (batch,) = EvaluationRecords(records, model.config).batches(7)
    expected = tf.nn.softmax(model(batch[0])).numpy()
    _assert_likeliest(_rows(evaluated["one clip"][1]), expected)


def _averaged(model, records, geometry, logits):
    """Returns mean probabilities over two clips and three crops of each video."""
    return [
        tf.nn.softmax(logits(cut_views(v.frames, 8, geometry, 2, 3, v.stride)))
        .numpy()
        .mean(axis=0)
        for v in EvaluationRecords(records, model.config).videos()
    ]


def test_views_are_averaged(evaluated, records, model):
    expected = _averaged(model, records, model.config.frame_geometry, model)
    rows = _rows(evaluated["views"][1])
    _assert_likeliest(rows, expected)
    assert rows != _rows(evaluated["one clip"][1])


@pytest.mark.slow
def test_views_are_of_another_size_if_asked(nano, records, tmp_path):
    model = nano(backbone=BACKBONES["slowonly_nano"], head=HEAD, num_classes=6)
    path = tf.train.Checkpoint(model=model).save(tmp_path / "ckpt")
    fields = {"batch_size": 6, "clips": 2, "crops": 3, "size": 40}
    config = EvaluationConfig(path, records, str(tmp_path / "out"), **fields)
    results = evaluate(config)
    assert results["settings"]["size"] == results["settings"]["model"]["size"] == 40

    def logits(views):
        return model.head(model.project(model.backbone(views)["head"]))

    geometry = FrameGeometry(40, model.config.frame_fit)
    expected = _averaged(model, records, geometry, logits)
    _assert_likeliest(_rows(tmp_path / "out"), expected)


def test_records_at_25_a_second_fit_slowonly_exactly(tmp_path):
    path = write_records(tmp_path / "records", example_of(25, fps=25.0))
    config = dataclasses.replace(preset("slowonly_50"), num_classes=6)
    (video,) = EvaluationRecords(path, config).videos()
    assert (len(video.frames), video.stride) == (25, 8)
    geometry = FrameGeometry(32, config.frame_fit)
    views = cut_views(video.frames, 2, geometry, clips=3, stride=video.stride)
    # Levels are 10 k: every eighth frame of 16 in a row, which begin at 0, 4 and 9.
    levels = 255 * views.numpy().mean(axis=(2, 3, 4))
    assert levels.round(-1).tolist() == [[0, 80], [40, 120], [90, 170]]


def test_streamed_and_whole_clips_give_the_same(evaluated):
    whole, streamed = evaluated["one clip"][0], evaluated["streaming"][0]
    curve = streamed["streaming"]["accuracy_after_each_frame"]
    assert len(curve) == 8
    assert curve[-1] == streamed["top_1"] == whole["top_1"]


def test_table_of_a_stream_has_its_curve(evaluated):
    assert "frames seen  seconds  top-1" in evaluated["streaming"][0]["table"]
    assert "label changes a second" in evaluated["streaming"][0]["table"]
    assert "frames seen" not in evaluated["one clip"][0]["table"]


def _assert_refused(
    tmp_path, message, checkpoint, records, out=None, error=ValueError, **fields
):
    """Checks for one line that matches, and that nothing was written."""
    before = sorted(tmp_path.rglob("*"))
    config = EvaluationConfig(
        checkpoint, records, str(out or tmp_path / "out"), **fields
    )
    with pytest.raises(error, match=message) as caught:
        evaluate(config)
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0: it must be above 0"),
        ({"clips": -1}, "clips is -1: it must be above 0"),
        ({"crops": 0}, "crops is 0: it must be 1 or 3"),
        ({"crops": 2}, "crops is 2: it must be 1 or 3"),
        ({"size": -1}, "size is -1: it must be above 0, or 0 for the model's own"),
        ({"output_dir": "gs://bucket/out"}, "gs://bucket/out: results go to a local"),
        (
            {"streaming": True, "clips": 2},
            "streaming feeds one clip of each video, .* 2 clips x 1 crops: leave out",
        ),
        (
            {"robustness": True, "crops": 3},
            "robustness feeds one clip of each video, .* 1 clips x 3 crops: leave out",
        ),
    ],
)
def test_settings_that_make_no_sense_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        EvaluationConfig(**fields)


def test_what_is_no_checkpoint_of_a_model_is_refused(nano, records, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("weights")
    backbone = nano().backbone
    part = tf.train.Checkpoint(backbone=backbone).save(tmp_path / "part" / "ckpt")
    for path, message in (
        (tmp_path / "none", "There is no checkpoint .*/none "),
        (tmp_path / "empty", "Expected one checkpoint in .*/empty, found 0"),
        (tmp_path / "file", "file is not a TensorFlow checkpoint"),
        (part, "records no config: restore it into a model"),
    ):
        _assert_refused(tmp_path, message, str(path), records)


@pytest.mark.parametrize(
    ("model_id", "size", "message"),
    [
        pytest.param(
            *("mobilenet_v3_small", 31, "size is 31: mobilenet_v3_small needs frames"),
            marks=pytest.mark.slow,
        ),
        ("slowonly_nano", 20_000, "size must be from 1 to 10000, got 20000"),
    ],
)
def test_size_that_no_model_has_is_refused(
    nano, records, tmp_path, model_id, size, message
):
    model = nano(backbone=BACKBONES[model_id])
    path = tf.train.Checkpoint(model=model).save(tmp_path / "ckpt")
    _assert_refused(tmp_path, message, path, records, size=size)


@pytest.mark.slow
def test_base_models_are_not_streamed(nano, records, tmp_path):
    base = {"causal": False, "gating_activation": "sigmoid"}
    model = nano(backbone=base, num_classes=6)
    path = tf.train.Checkpoint(model=model).save(tmp_path / "ckpt")
    message = "cannot be streamed: use a stream"
    _assert_refused(tmp_path, message, path, records, streaming=True)


def _other_records(folder):
    """Writes records of plain `tf.train.Example`s."""
    path = write_records(folder)
    picture = tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"jpeg"]))
    features = tf.train.Features(feature={"image/encoded": picture})
    with tf.io.TFRecordWriter(path) as writer:
        writer.write(tf.train.Example(features=features).SerializeToString())
    return path


def _shortened(path, count):
    """Cuts the last bytes of a file."""
    file = pathlib.Path(path)
    file.write_bytes(file.read_bytes()[:-count])
    return path


RECORDS = {
    "No file matches .*/none-.: expected TFRecord files": lambda folder: str(
        folder / "none-*"
    ),
    "records is a folder: name its files, as .*/test-.*tfrecord": lambda folder: str(
        pathlib.Path(write_records(folder, example_of(8))).parent
    ),
    "has 5 classes, and the model 6: evaluate on records of": lambda folder: (
        write_records(folder, example_of(8), labels=CLASSES[:5])
    ),
    "holds no record: copy or make it again": write_records,
    "its first record has the context": _other_records,
    "is truncated in its first record": lambda folder: _shortened(
        write_records(folder, example_of(8)), 50
    ),
    "is truncated: copy or make it again": lambda folder: _shortened(
        write_records(folder, example_of(8), example_of(8)), 50
    ),
    "no whole multiple of the model's 5": lambda folder: write_records(
        folder, example_of(8, fps=7.0)
    ),
}


@pytest.mark.parametrize("message", RECORDS)
def test_records_that_do_not_fit_are_refused(model, tmp_path, monkeypatch, message):
    monkeypatch.setattr(evaluation, "load_model", lambda _: model)
    path = RECORDS[message](tmp_path / "records")
    _assert_refused(tmp_path, message, "checkpoint", path)


def test_a_file_in_place_of_the_folder_is_refused(records, checkpoint, tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    message = "/file is a file, so .* give another --output_dir"
    for folder in (file, file / "below"):
        _assert_refused(tmp_path, message, checkpoint, records, folder, OSError)
    assert file.read_text() == "mine"


@pytest.mark.skipif(not pathlib.Path("/proc").is_dir(), reason="needs Linux's /proc")
def test_a_read_only_folder_is_refused(records, checkpoint, tmp_path):
    # Not a folder without permission: that keeps nothing from the superuser.
    message = "/proc cannot be written to .* give another --output_dir"
    _assert_refused(tmp_path, message, checkpoint, records, "/proc/out", OSError)


@pytest.mark.slow
def test_the_program_says_what_is_wrong_in_one_line(run_program, tmp_path):
    out = tmp_path / "out"
    flags = ("--checkpoint=c", "--records=r", f"--output_dir={out}")
    done = run_program("scripts.evaluate", *flags, "--clips=2", "--streaming")
    assert done.returncode == 1 and not out.exists()
    assert "Traceback" not in done.stderr
    line = done.stderr.strip().splitlines()[-1]
    assert line.startswith("ValueError: streaming feeds one clip of each video")
