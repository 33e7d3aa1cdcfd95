"""Tests of answers of none and of events in running an exported file on videos."""

import csv
import json

import av
import numpy as np
import pytest
from drawn_videos import write_video
from exported_files import CLASSES, manifest_of, with_manifest
from exported_streams import write_clip_classifier, write_colors
from toy_backbones import BACKBONES

from grw_tf.export.bundle import add_to_manifest
from grw_tf.streaming import EventRules
from grw_tf.streaming.none_of_these import MANIFEST_KEY, NoneOfThese, manifest_entry

RED, GREEN, GRAY = (255, 0, 0), (0, 255, 0), (120, 120, 120)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of two colors, calibrated and not, and a video of both and of none."""
    root = tmp_path_factory.mktemp("stream_events")
    plain = write_colors(root / "plain.tflite")
    rules = EventRules(0.9, 0.7, least_seconds=0.5, merge_gap=0.3)
    entry = manifest_entry(NoneOfThese(["red", "green"], rules=rules), {})
    add_to_manifest(plain, root / "calibrated.tflite", {MANIFEST_KEY: entry})
    parts = (GRAY, 10), (RED, 10), (GRAY, 10), (GREEN, 1), (GRAY, 5), (GREEN, 6)
    colors = [color for color, count in parts for color in [color] * count]
    write_video(root / "video.mp4", colors, rate=5)
    return root


EVENTS = [("red", 2.0, 4.0), ("green", 7.2, 8.4)]


@pytest.fixture
def run(run_bare_program, folder):
    def run(*flags, model="calibrated"):
        given = f"--model={folder / model}.tflite", f"--source={folder / 'video.mp4'}"
        return run_bare_program("export.run_stream", *given, *flags)

    return run


def _spans(rows):
    return [(row["class"], float(row["start"]), float(row["end"])) for row in rows]


def test_lines_begin_with_none_where_no_class_passes(run):
    done = run()
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 42
    none = [line.split()[2] == "none" for line in lines]
    assert none == 10 * [True] + 10 * [False] + 10 * [True] + [False] + 5 * [True] + (
        6 * [False]
    )
    assert lines[0].split()[3] in ("red", "green") and lines[12].split()[2] == "red"


def test_json_has_the_answer_where_there_may_be_none(run):
    results = [json.loads(line) for line in run("--json").stdout.splitlines()]
    assert results[0]["answer"] is None and results[12]["answer"] == "red"
    assert results[12]["score"] > 0.9 and results[0]["score"] < 0.6
    plain = [
        json.loads(line) for line in run("--json", model="plain").stdout.split("\n")[:3]
    ]
    assert "answer" not in plain[0] and list(plain[0]) == ["time", "frame", "top", "ms"]


@pytest.mark.parametrize("name", ["events.csv", "events.jsonl"])
def test_events_go_into_a_file_beside_the_classes(run, tmp_path, name):
    done = run(f"--events={tmp_path / name}")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 42
    text = (tmp_path / name).read_text()
    if name.endswith("csv"):
        rows = list(csv.DictReader(text.splitlines()))
    else:
        rows = [json.loads(line) for line in text.splitlines()]
    assert _spans(rows) == EVENTS
    assert all(float(row["score"]) > 0.9 for row in rows)


def test_events_alone_are_printed(run):
    done = run("--events=-")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert _spans(rows) == EVENTS
    assert "42 frames, median" in done.stderr


def test_flags_change_the_rules(run):
    done = run("--events=-", "--least_seconds=0.1", "--merge_gap=0")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert _spans(rows) == [EVENTS[0], ("green", 6.0, 6.2), EVENTS[1]]
    done = run("--events=-", "--on_threshold=0.9", model="plain")
    assert _spans(map(json.loads, done.stdout.splitlines())) == EVENTS


def test_none_is_drawn_without_a_bar(run, tmp_path):
    drawn = {}
    for name, flags in (("none", ()), ("classes", ("--on_threshold=0.3",))):
        path = tmp_path / f"{name}.mp4"
        assert run(f"--output={path}", *flags).returncode == 0
        with av.open(str(path)) as container:
            drawn[name] = next(container.decode(video=0)).to_ndarray(format="rgb24")
    # The first frame is gray: classes have green bars, and none has none.
    green = {
        name: np.count_nonzero(frame[..., 1] > frame[..., 0].astype(int) + 30)
        for name, frame in drawn.items()
    }
    assert green["classes"] > 50 > green["none"]


def test_clip_classifier_has_events_clip_by_clip(run_bare_program, nano, tmp_path):
    model = nano(backbone=BACKBONES["slowonly_nano"])
    path = write_clip_classifier(tmp_path / "clips.tflite", model)
    video = write_video(tmp_path / "video.mp4", [(8 * i,) * 3 for i in range(30)])
    done = run_bare_program(
        "export.run_stream",
        *(f"--model={path}", f"--source={video}", "--events=-"),
        *("--on_threshold=0.01", "--off_threshold=0.01"),
    )
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    # 15 frames at 5 a second: a clip of 8 and one of the last 8, 7 of which are new.
    assert min(row["start"] for row in rows) == 0
    assert max(row["end"] for row in rows) == 3.0
    assert {row["end"] for row in rows} <= {1.6, 3.0}
    done = run_bare_program(
        "export.run_stream",
        *(f"--model={path}", f"--source={video}", "--memory_frames=9"),
    )
    assert done.returncode == 1
    assert "whole clips, and remembers nothing: leave out --memory_f" in done.stderr
    # Of several labels, all of which reach their thresholds.
    output = manifest_of(path)["output"]
    output |= {"activation": "sigmoid", "thresholds": [0.0] * 5}
    several = tmp_path / "several.tflite"
    with_manifest(path, several, format_version=3, output=output)
    given = f"--model={several}", f"--source={video}", "--events=-"
    done = run_bare_program("export.run_stream", *given)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert _spans(rows) == [(name, 0.0, 3.0) for name in CLASSES]


@pytest.fixture(scope="module")
def several(folder):
    """The model with a sigmoid for each color, and a video of one, both and none."""
    plain = folder / "plain.tflite"
    output = manifest_of(plain)["output"]
    output |= {"activation": "sigmoid", "thresholds": [0.99, 0.98]}
    path = folder / "several.tflite"
    with_manifest(plain, path, ["red", "green"], format_version=3, output=output)
    parts = ((0, 0, 0), 5), (RED, 5), ((255, 255, 0), 5), (GREEN, 5), ((0, 0, 0), 5)
    colors = [color for color, count in parts for color in [color] * count]
    write_video(folder / "both.mp4", colors, rate=5)
    return path


def test_events_of_several_labels_overlap(run_bare_program, several, run):
    video = several.with_name("both.mp4")
    given = f"--model={several}", f"--source={video}", "--events=-"
    done = run_bare_program("export.run_stream", *given)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert _spans(rows) == [("red", 1.0, 3.0), ("green", 2.0, 4.0)]
    done = run_bare_program("export.run_stream", *given, "--least_seconds=2.5")
    assert done.returncode == 0 and not done.stdout
    done = run_bare_program("export.run_stream", *given, "--on_threshold=0.5")
    assert done.returncode == 1
    assert "on_threshold is one for all classes, and " in done.stderr


@pytest.mark.parametrize(
    "model, flags, words",
    [
        ("plain", ["--events=-"], "--events needs a threshold, and "),
        ("plain", ["--off_threshold=0.4"], "off_threshold is given, but the file has"),
        ("calibrated", ["--off_threshold=0.95"], "off_threshold is 0.95, above on_thr"),
        ("calibrated", ["--events=x.txt"], "--events=x.txt: name a .csv or .jsonl fi"),
        ("calibrated", ["--events=/no/x.csv"], "No such file or directory"),
        ("calibrated", ["--on_threshold=70"], "on_threshold is 70: scores are probabi"),
        ("calibrated", ["--memory_frames=-2"], "memory_frames is -2: it must be 0 or"),
    ],
)
def test_what_contradicts_is_told_in_one_line(run, model, flags, words):
    done = run(*flags, model=model)
    assert done.returncode == 1 and not done.stdout
    (line,) = done.stderr.strip().splitlines()
    assert words in line
