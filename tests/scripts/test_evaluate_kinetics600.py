"""Tests of the program that evaluates by the published protocol, on the real A0S."""

import csv
import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from grw_tf.data.listing.video_list import Video
from grw_tf.frames.geometry import FrameGeometry
from grw_tf.kinetics600.clips import ClipRule, ClipTask, read_published_clips
from grw_tf.kinetics600.protocol import ProtocolConfig
from grw_tf.kinetics600.published_numbers import published_top_1
from grw_tf.models import preset
from grw_tf.weights.restore import load_model
from grw_tf.weights.torch.importing import import_torch_weights

ROOT = Path(__file__).parents[2]
PER_CLASS = 3


def _labels(path, classes):
    """Writes 600 names, those of the classes the last."""
    others = [f"class {index}" for index in range(600 - len(classes))]
    path.write_text("".join(f"{name}\n" for name in [*others, *classes]))
    return path


@pytest.fixture(scope="module")
def clips(shared, tmp_path_factory):
    """A folder of some real videos of each class."""
    folder = tmp_path_factory.mktemp("clips")
    for source in sorted(
        p for p in (shared / "data" / "videos").iterdir() if p.is_dir()
    ):
        (folder / source.name).mkdir()
        for video in sorted(source.iterdir())[:PER_CLASS]:
            shutil.copy(video, folder / source.name)
    return folder


@pytest.mark.slow
def test_real_weights_and_videos_from_the_command_to_top_1(shared, clips, tmp_path):
    classes = sorted(path.name for path in clips.iterdir())
    count = PER_CLASS * len(classes)
    labels = _labels(tmp_path / "labels.txt", classes)
    out = tmp_path / "out"
    command = [
        *(sys.executable, "-m", "scripts.evaluate_kinetics600"),
        f"--checkpoint={shared / 'vectors' / 'a0s_random.pt'}",
        *(f"--clips={clips}", f"--labels={labels}", f"--output_dir={out}"),
        *("--frames=8", "--batch_size=4", "--videos_per_file=4", "--workers=2"),
    ]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ)
    while process.poll() is None and not list(out.glob("predictions/00001.npz")):
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert not (out / "results.json").exists()
    first = {path: path.stat().st_mtime_ns for path in out.glob("predictions/*.npz")}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(first) >= 2
    assert {path: path.stat().st_mtime_ns for path in first} == first

    results = json.loads((out / "results.json").read_text())
    assert results["published_top_1"] == 0.784
    assert results["clips"] + results["too_short"] >= count
    assert "published for this model's GRW weights: 78.4%" in done.stdout
    with (out / "predictions.csv").open(newline="") as file:
        rows = {row["path"]: row for row in csv.DictReader(file)}
    assert results["clips"] == len(rows) > count / 2

    import_torch_weights(shared / "vectors" / "a0s_random.pt", tmp_path / "a0s")
    model = load_model(tmp_path / "a0s", frames=8)
    names = labels.read_text().splitlines()
    for name in (next(iter(rows)), list(rows)[-1].partition("#")[0]):
        video = Video(clips / name, name, name.split("/")[0], "", name)
        read = read_published_clips(
            ClipTask(video, ClipRule(8, 5.0, FrameGeometry(172, "square")))
        )
        probabilities = tf.nn.softmax(model(read.clips[:1])).numpy()[0]
        row = rows[name]
        assert row["predicted"] == names[probabilities.argmax()]
        label = probabilities[names.index(row["label"])]
        assert float(row["probability_of_label"]) == pytest.approx(label, rel=1e-3)
        assert np.isclose(float(row["probability_1"]), probabilities.max(), rtol=1e-3)


def test_page_has_the_published_numbers_and_real_flags():
    page = (ROOT / "docs" / "reproduce_kinetics600.md").read_text()
    rows = re.findall(r"`(a\d)([sb])_grw.pt`.* \| ([\d.]+) % \|", page)
    assert len(rows) == 4
    for size, kind, top_1 in rows:
        name = f"{size}_{'stream' if kind == 's' else 'base'}_grw"
        assert published_top_1(preset(name)) == pytest.approx(float(top_1) / 100)
    fields = {field.name for field in dataclasses.fields(ProtocolConfig)}
    commands = re.findall(r"scripts.evaluate_kinetics600 (.*)", page)
    assert len(commands) == 2
    for command in commands:
        assert set(re.findall(r"--(\w+)=", command)) <= fields


def test_what_is_wrong_is_told_in_one_line(run_program, clips, tmp_path):
    flags = (f"--clips={clips}", f"--output_dir={tmp_path / 'out'}", "--checkpoint=x")
    done = run_program("scripts.evaluate_kinetics600", *flags, "--shard=2")
    assert done.returncode == 1 and not (tmp_path / "out").exists()
    assert "Traceback" not in done.stderr
    line = done.stderr.strip().splitlines()[-1]
    assert line == "ValueError: shard is '2': expected i/n, with i from 1 to n."
