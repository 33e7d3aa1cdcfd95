"""Tests of calibrating an exported file, and of evaluating its events."""

import csv
import dataclasses
import json
import shutil

import pytest
from drawn_videos import write_video
from exported_files import manifest_of, model_of, with_manifest
from exported_streams import write_clip_classifier, write_colors, write_stream
from toy_backbones import BACKBONES

from grw_tf.evaluation.evaluate_events import (
    EventEvaluationConfig,
    evaluate_events,
)
from grw_tf.export.calibrate import CalibrationConfig, calibrate
from grw_tf.streaming import EventRules, StreamSession
from grw_tf.streaming.none_of_these import MANIFEST_KEY

RED, GREEN, GRAY = (255, 0, 0), (0, 255, 0), (120, 120, 120)
REDDISH = (160, 120, 120)


def _video(path, *parts):
    """Writes a video of (color, frames) at 5 frames a second."""
    return write_video(path, [c for color, count in parts for c in [color] * count], 5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Validation clips, two of them mislabeled, and a minute of background."""
    root = tmp_path_factory.mktemp("calibrate")
    write_colors(root / "colors.tflite")
    for index in range(4):
        _video(root / "clips" / "red" / f"{index}.mp4", (RED, 4 + index))
        _video(root / "clips" / "green" / f"{index}.mp4", (GREEN, 6))
    # Answers of low scores, which are wrong.
    for index in range(2):
        _video(root / "clips" / "green" / f"wrong{index}.mp4", (REDDISH, 6 + index))
    # A reddish alarm of a second in each half of a minute.
    for index in range(2):
        parts = (GRAY, 60 + index), (REDDISH, 6), (GRAY, 84)
        _video(root / "background" / "street" / f"{index}.mp4", *parts)
    return root


@pytest.fixture
def run(folder, tmp_path):
    def run(**fields):
        fields = {
            "model": str(folder / "colors.tflite"),
            "clips": str(folder / "clips"),
            "output": str(tmp_path / "calibrated.tflite"),
        } | fields
        table = calibrate(CalibrationConfig(**fields))
        return table, manifest_of(tmp_path / "calibrated.tflite")[MANIFEST_KEY]

    return run


def test_threshold_of_a_precision_goes_into_the_file(folder, run, tmp_path):
    table, entry = run(target_precision=0.95)
    told = entry["calibration"]
    # 8 of 10 clips are right, and the wrong ones score less.
    assert told["clips"] == 10 and told["accuracy"] == pytest.approx(0.8)
    assert told["precision"] == 1 and told["coverage"] == pytest.approx(0.8)
    assert told["target"] == {"precision": 0.95}
    assert told["false_alarms_per_hour"] is None
    assert entry["temperature"] > 1
    assert entry["off_threshold"] == pytest.approx(0.8 * entry["on_threshold"])
    # A quarter of the clip's 4 frames.
    assert entry["memory_frames"] == 1
    assert "right answers     100.0% of the answers" in table
    before, after = told["negative_log_likelihood"]
    assert after < before
    # Nothing else in the file is new.
    calibrated = tmp_path / "calibrated.tflite"
    assert model_of(calibrated) == model_of(folder / "colors.tflite")
    manifest = manifest_of(calibrated)
    del manifest[MANIFEST_KEY]
    assert manifest == manifest_of(folder / "colors.tflite")
    with StreamSession(calibrated) as session:
        assert session.none_of_these.rules.on_threshold == entry["on_threshold"]


def test_background_counts_against_the_precision(folder, run):
    _, alone = run(target_precision=0.75)
    _, entry = run(target_precision=0.75, background=str(folder / "background"))
    assert alone["calibration"]["precision"] == pytest.approx(0.8)
    assert entry["on_threshold"] > alone["on_threshold"]
    assert entry["calibration"]["background_clips"] > 50


def test_threshold_of_false_alarms_goes_into_the_file(folder, run):
    background = {"background": str(folder / "background")}
    _, entry = run(false_alarms_per_hour=0, **background)
    told = entry["calibration"]
    assert told["false_alarms_per_hour"] == 0
    assert told["background_hours"] == pytest.approx(301 / 5 / 3600, rel=0.02)
    assert told["coverage"] == pytest.approx(0.8)
    # With two alarms allowed, the threshold is lower.
    _, more = run(false_alarms_per_hour=150, **background)
    assert more["on_threshold"] < entry["on_threshold"]
    assert 100 < more["calibration"]["false_alarms_per_hour"] <= 150


def test_calibrating_again_starts_anew(folder, run, tmp_path):
    _, first = run(target_precision=0.95)
    _, again = run(
        target_precision=0.95,
        model=str(tmp_path / "calibrated.tflite"),
        memory_frames=0,
    )
    assert again["memory_frames"] is None
    assert {k: again[k] for k in ("temperature", "on_threshold")} == {
        k: first[k] for k in ("temperature", "on_threshold")
    }


def test_little_background_is_told(folder, run, caplog):
    run(false_alarms_per_hour=1, background=str(folder / "background"))
    assert "hours, in which a single event is 59" in caplog.text


@pytest.mark.slow
def test_clip_classifier_is_calibrated_too(nano, tmp_path, folder):
    model = nano(backbone=BACKBONES["slowonly_nano"], num_classes=2)
    path = write_clip_classifier(tmp_path / "clips.tflite", model, ["red", "green"])
    config = CalibrationConfig(
        model=str(path), clips=str(folder / "clips"), target_precision=0.1
    )
    assert "memory            all frames" in calibrate(config)
    entry = manifest_of(path)[MANIFEST_KEY]
    assert entry["memory_frames"] is None and entry["calibration"]["clips"] == 10
    with pytest.raises(ValueError, match="classifies whole clips, and remembers noth"):
        calibrate(
            CalibrationConfig(
                model=str(path),
                clips=str(folder / "clips"),
                target_precision=0.1,
                memory_frames=3,
            )
        )


def test_records_are_validation_clips(nano, tmp_path, colored_records):
    model = nano(num_classes=2)
    path = write_stream(tmp_path / "model.tflite", model, ["blue", "red"])
    records = f"{colored_records}/test-*.tfrecord"
    fields = {"model": str(path), "clips": records, "target_precision": 0.1}
    calibrate(CalibrationConfig(**fields))
    assert manifest_of(path)[MANIFEST_KEY]["calibration"]["clips"] == 8
    # Sources of records are known by their names.
    videos = str(colored_records.parent / "videos" / "test")
    with pytest.raises(ValueError, match="has the name of a clip of the cl.*, test/"):
        calibrate(CalibrationConfig(**fields, background=videos))
    other = write_stream(tmp_path / "other.tflite", model, ["red", "blue"])
    with pytest.raises(ValueError, match="has other classes than .*blue, red, not red"):
        calibrate(CalibrationConfig(**fields | {"model": str(other)}))


def _refusals(folder, tmp_path):
    background = str(folder / "background")
    precise = {"target_precision": 0.9}
    yield {}, "Give either --target_precision or --false_alarms_per_hour"
    yield {**precise, "false_alarms_per_hour": 1.0}, "Give either --target_precision"
    yield {"target_precision": 1.5}, "target_precision is 1.5: it must be above 0"
    yield {"false_alarms_per_hour": 1.0}, "give their folder by --background"
    yield (
        {"false_alarms_per_hour": -1.0, "background": background},
        "false_alarms_per_hour is -1: it must be 0 or more",
    )
    yield {**precise, "off_share": 1.5}, "off_share is 1.5: it must be above 0"
    (tmp_path / "empty").mkdir()
    yield {**precise, "background": str(tmp_path / "empty")}, "empty has no videos"
    yield {**precise, "background": "nowhere"}, "background is nowhere: give a folder"
    yield {**precise, "background": str(folder / "clips")}, "is also a clip of the cl"
    copied = tmp_path / "copied" / "renamed.mp4"
    copied.parent.mkdir()
    shutil.copy(folder / "clips" / "red" / "1.mp4", copied)
    yield {**precise, "background": str(copied.parent)}, "is also a clip of the classe"
    shutil.copytree(folder / "clips", tmp_path / "more")
    _video(tmp_path / "more" / "blue" / "0.mp4", (GRAY, 5))
    yield {**precise, "clips": str(tmp_path / "more")}, "has no such class: videos of"
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "x.mp4").write_bytes(b"no video")
    yield {**precise, "background": str(tmp_path / "bad")}, "None of the 1 background"
    yield {**precise, "output": "x.onnx"}, "--output=x.onnx: name a .tflite file"


def test_what_cannot_be_calibrated_is_refused(folder, tmp_path, run):
    count = 0
    for fields, words in _refusals(folder, tmp_path):
        with pytest.raises(ValueError) as error:
            run(**fields)
        assert words in str(error.value), fields
        assert "\n" not in str(error.value)
        count += 1
    assert count == 13
    assert not (tmp_path / "calibrated.tflite").exists()


@pytest.fixture(scope="module")
def table(folder):
    """A table of true segments of two videos, and one without any."""
    parts = (GRAY, 10), (RED, 10), (GRAY, 10), (GREEN, 10), (GRAY, 5)
    _video(folder / "long" / "a.mp4", *parts)
    _video(folder / "long" / "b.mp4", (GRAY, 10), (RED, 5), (GRAY, 10), (RED, 5))
    _video(folder / "long" / "c.mp4", (GRAY, 20))
    rows = ["path,label,start,end", "a.mp4,red,2,4", "a.mp4,green,6,8"]
    # In b the first event is not listed, so it is a false alarm.
    rows += ["b.mp4,red,5,", "c.mp4,background,,"]
    path = folder / "long" / "segments.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def _events_config(folder, table, tmp_path, **fields):
    fields = {
        "model": str(folder / "colors.tflite"),
        "csv": str(table),
        "output_dir": str(tmp_path / "events"),
        "on_threshold": 0.9,
    } | fields
    return EventEvaluationConfig(**fields)


def test_events_are_evaluated_against_the_table(folder, table, tmp_path):
    text = evaluate_events(_events_config(folder, table, tmp_path))
    with open(tmp_path / "events" / "events.csv") as file:
        rows = list(csv.DictReader(file))
    assert [(row["path"], row["class"], row["right"]) for row in rows] == [
        ("a.mp4", "red", "1"),
        ("a.mp4", "green", "1"),
        ("b.mp4", "red", "0"),
        ("b.mp4", "red", "1"),
    ]
    assert [float(row["start"]) for row in rows] == [2, 6, 2, 5]
    results = json.loads((tmp_path / "events" / "results.json").read_text())
    seconds = (45 + 30 + 20) / 5
    assert results["f1"] == pytest.approx(2 * 3 / (4 + 3))
    assert results["false_alarms_per_hour"] == pytest.approx(3600 / seconds)
    assert results["settings"]["off_threshold"] == pytest.approx(0.72)
    assert "event F1 at IoU 0.5" in text


def test_background_adds_hours_and_false_alarms(folder, table, tmp_path):
    config = _events_config(
        folder,
        table,
        tmp_path,
        background=str(folder / "background"),
        on_threshold=0.6,
        split="",
    )
    evaluate_events(config)
    results = json.loads((tmp_path / "events" / "results.json").read_text())
    assert results["videos"] == 5
    assert results["classes"][1]["false_alarms"] == 3


def test_events_of_several_labels_are_evaluated_against_the_table(folder, tmp_path):
    plain, model = folder / "colors.tflite", tmp_path / "several.tflite"
    output = manifest_of(plain)["output"]
    output |= {"activation": "sigmoid", "thresholds": [0.99, 0.98]}
    with_manifest(plain, model, ["red", "green"], format_version=3, output=output)
    black, both = (0, 0, 0), (255, 255, 0)
    _video(tmp_path / "a.mp4", (black, 5), (RED, 5), (both, 5), (GREEN, 5), (black, 5))
    table = tmp_path / "table.csv"
    # Segments overlap as events do.
    table.write_text("path,label,start,end\na.mp4,red,1,3\na.mp4,green,2,4\n")
    config = _events_config(
        folder, table, tmp_path, model=str(model), on_threshold=None
    )
    evaluate_events(config)
    results = json.loads((tmp_path / "events" / "results.json").read_text())
    assert results["f1"] == 1.0 and results["false_alarms_per_hour"] == 0.0
    assert results["settings"]["on_thresholds"] == [0.99, 0.98]
    with pytest.raises(ValueError, match="off_threshold is one for all classes, and"):
        evaluate_events(dataclasses.replace(config, off_threshold=0.5))


def test_events_that_cannot_be_evaluated_are_refused(folder, table, tmp_path):
    def fails(words, **fields):
        with pytest.raises(ValueError, match=words):
            evaluate_events(_events_config(folder, table, tmp_path, **fields))

    fails("has no calibrated threshold: calibrate it", on_threshold=None)
    fails("off_threshold is 0.95, above on_threshold", off_threshold=0.95)
    fails("min_iou is 0: it must be above 0", min_iou=0.0)
    fails("has no videos of split 'test': it has ''", split="test")
    fails("is also a clip of the classes", background=str(folder / "long"))
    other = tmp_path / "other.csv"
    other.write_text("path,label,start,end\na.mp4,blue,1,2\n")
    fails("has the classes blue, and .* has no such class", csv=str(other))
    other.write_text("path,label,start,end\na.mp4,red,70,72\n")
    fails(
        "a.mp4 lasts 9 s, and the table has a segment from 70 s on",
        csv=str(other),
        input=str(folder / "long"),
    )


def test_events_are_those_of_a_live_session(folder, table, tmp_path):
    """The evaluation finds the events that a session finds frame by frame."""
    from grw_tf.data.videos.clips import stream_frames

    evaluate_events(_events_config(folder, table, tmp_path))
    with open(tmp_path / "events" / "events.csv") as file:
        rows = [row for row in csv.DictReader(file) if row["path"] == "a.mp4"]
    rules = EventRules.of_threshold(0.9)
    with StreamSession(folder / "colors.tflite", find_events=rules) as session:
        for _, frame in stream_frames(table.with_name("a.mp4"), 5, session.geometry):
            session.push_prepared(frame)
        session.flush()
        found = [event.to_dict() for event in session.events()]
    assert [
        {"start": float(row["start"]), "end": float(row["end"]), "class": row["class"]}
        for row in rows
    ] == [{key: event[key] for key in ("start", "end", "class")} for event in found]
