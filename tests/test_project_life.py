"""Tests of whole projects, by the commands that a user gives, at toy size."""

import csv
import json

import numpy as np
import pytest
from drawn_videos import write_video
from torch_archives import write_snapshot
from torch_states import PARAMS, random_state
from training_runs import EXPERIMENT, SMOKE_GRW, command, overridden
from two_workers import two_workers, wait_for, wait_until_done

from grw_tf.data.records.evaluation_records import EvaluationRecords
from grw_tf.export.quantization.quantize import MODES
from grw_tf.models.presets import published_config
from grw_tf.weights.restore import load_model

COLORS = {"blue": (0, 0, 255), "red": (255, 0, 0)}
COUNTS = {"train": 8, "validation": 3, "test": 3}
STEPS, KILLED_AT = 40, 20
TRAINER = {
    "train_steps": STEPS,
    "steps_per_loop": 5,
    "checkpoint_interval": 5,
    "summary_interval": 5,
    "validation_interval": 20,
}
# Probabilities of the file, and those of the model, by its precision.
TOLERANCES = {"none": 1e-4, "float16": 1e-2}
TOLERANCE_IN_8_BITS = 0.2

# What runs on a device: no TensorFlow, no OpenCV, frames as a camera's owner has them.
_ON_A_DEVICE = """
import json, sys
import numpy as np
from grw_tf.streaming import StreamSession
clips = np.load(sys.argv[2])
with StreamSession(sys.argv[1]) as session:
    for name in clips.files:
        session.reset()
        for frame in clips[name]:
            session.push_prepared(frame)
        print(json.dumps([session.labels, session.classify().tolist()]))
assert "tensorflow" not in sys.modules
"""


@pytest.fixture
def videos(tmp_path):
    """A folder of videos of two classes, split in three."""
    folder = tmp_path / "videos"
    rng = np.random.default_rng(0)
    for split, count in COUNTS.items():
        for name, color in COLORS.items():
            for index in range(count):
                levels = np.linspace(*rng.uniform(0.4, 1.0, 2), 10)
                frames = [tuple(int(c * level) for c in color) for level in levels]
                write_video(folder / split / name / f"{index}.mp4", frames, 5)
    return folder


@pytest.fixture
def run(run_program):
    """A function that runs a program to a good end and returns what it printed."""

    def to_the_end(module, *flags):
        done = run_program(module, *flags)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return to_the_end


@pytest.fixture
def stream_on_a_device(run_bare, tmp_path):
    """A function that streams a model's test clips through its file, elsewhere.

    It returns the labels and the probabilities [clips, classes] after the last frames.
    """

    def stream(file, records, config):
        clips = EvaluationRecords(records, config, progress=False)
        np.savez(tmp_path / "clips.npz", *(clip.frames for clip in clips))
        done = run_bare(_ON_A_DEVICE, file, tmp_path / "clips.npz")
        assert done.returncode == 0, done.stderr
        told = [json.loads(line) for line in done.stdout.splitlines()]
        return told[0][0], np.array([probabilities for _, probabilities in told])

    return stream


def _predictions(folder):
    """Returns what an evaluation says of its clips, as dicts of its columns."""
    with open(folder / "predictions.csv", newline="") as file:
        return list(csv.DictReader(file))


def _check_same(predictions, labels, probabilities, tolerance):
    assert len(predictions) == len(probabilities)
    for row, found in zip(predictions, probabilities, strict=True):
        assert labels[found.argmax()] == row["predicted"]
        of_label = found[labels.index(row["label"])]
        assert of_label == pytest.approx(
            float(row["probability_of_label"]), abs=tolerance
        )


@pytest.mark.slow
def test_clips_become_a_file_that_says_what_the_model_says(
    videos, run, stream_on_a_device, tmp_path
):
    records, folder = tmp_path / "records", tmp_path / "run"
    test_records = f"{records}/test-*"
    run("scripts.prepare_videos", f"--input={videos}", f"--output_dir={records}")

    runtime = {"distribution_strategy": "multi_worker_mirrored"}
    validation = {"validation_data": {"input_path": f"{records}/validation-*"}}
    override = {"task": validation, "trainer": TRAINER}
    training = command(records, folder, override | {"runtime": runtime})
    with two_workers(training, tmp_path) as workers:
        wait_for(folder / f"ckpt-{KILLED_AT}.index", workers, tmp_path)
    with two_workers(training, tmp_path) as workers:
        wait_until_done(workers, tmp_path)
    assert (folder / f"ckpt-{STEPS}.index").exists()

    run(
        "scripts.evaluate",
        *(f"--checkpoint={folder}/best_ckpt", f"--records={test_records}"),
        *(f"--output_dir={folder}/test", "--streaming"),
    )
    predictions = _predictions(folder / "test")
    assert len(predictions) == len(COLORS) * COUNTS["test"]
    assert all(row["predicted"] == row["label"] for row in predictions)

    run(
        "scripts.compare",
        f"--experiment={EXPERIMENT}",
        *(f"--config_file={file}" for file in SMOKE_GRW),
        f"--params_override={overridden(records, override)}",
        *("--variants=baseline,grw", "--seeds=1"),
        *(f"--test_records={test_records}", f"--output_dir={tmp_path}/compare"),
    )
    assert "grw" in (tmp_path / "compare" / "report.html").read_text()

    config = load_model(folder / "best_ckpt").config
    for mode in MODES:
        file = tmp_path / f"{mode}.tflite"
        run(
            "export.export_tflite",
            *(f"--checkpoint_dir={folder}", f"--output={file}"),
            f"--quantization={mode}",
        )
        labels, probabilities = stream_on_a_device(file, test_records, config)
        tolerance = TOLERANCES.get(mode, TOLERANCE_IN_8_BITS)
        _check_same(predictions, labels, probabilities, tolerance)


@pytest.mark.slow
def test_published_weights_become_a_file_that_says_what_they_say(
    videos, run, stream_on_a_device, tmp_path
):
    config = published_config("nano", True)
    state, ema = (random_state(config, seed) for seed in (0, 1))
    published, imported = tmp_path / "nano_grw.pt", tmp_path / "imported"
    write_snapshot(published, state, ema, PARAMS, backbone="nano")
    run(
        "scripts.import_torch_weights",
        *(f"--input={published}", f"--output_dir={imported}"),
    )

    # Its classes are 600, of which the clips show two.
    names = tmp_path / "names.txt"
    others = [f"class {index}" for index in range(PARAMS["num_classes"] - 2)]
    names.write_text("\n".join([*COLORS, *others]) + "\n")
    records = tmp_path / "records"
    run(
        "scripts.prepare_videos",
        *(f"--input={videos}", f"--output_dir={records}", f"--labels={names}"),
    )
    evaluated, test_records = tmp_path / "evaluated", f"{records}/test-*"
    run(
        "scripts.evaluate",
        *(f"--checkpoint={imported}", f"--records={test_records}"),
        f"--output_dir={evaluated}",
    )
    file = tmp_path / "model.tflite"
    run(
        "export.export_tflite",
        *(f"--checkpoint_dir={imported}", f"--output={file}", f"--labels={names}"),
        "--quantization=none",
    )
    labels, probabilities = stream_on_a_device(file, test_records, config)
    _check_same(_predictions(evaluated), labels, probabilities, TOLERANCES["none"])
