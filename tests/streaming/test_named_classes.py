"""Tests of naming the classes whose sigmoids reach their thresholds."""

import json

import numpy as np
import pytest
from drawn_videos import greys, write_video
from exported_files import VECTORS

from grw_tf.streaming import StreamSession
from grw_tf.streaming.answers import reaching, sigmoid

MODEL = VECTORS / "labels.tflite"


def test_classes_are_named_from_their_thresholds_on():
    scores = np.array([0.25, 0.9, 0.7, 0.69999], "float32")
    found = reaching("abcd", scores, [0.25, 0.95, 0.7, 0.7])
    # 0.7 in float32 is below 0.7 in float64.
    assert [name for name, _ in found] == ["c", "a"]
    assert found[0][1] == pytest.approx(0.7)


def test_sigmoids_of_large_logits_are_0_and_1():
    logits = np.array([-1e4, -1.0, 0.0, 1.0, 1e4], "float32")
    with np.errstate(all="raise", under="ignore"):
        found = sigmoid(logits)
    expected = [0, 1 / (1 + np.e), 0.5, np.e / (1 + np.e), 1]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_probabilities_are_sigmoids():
    with StreamSession(MODEL) as session:
        pushed = session.push(np.zeros((16, 16, 3), np.uint8))
        assert session.thresholds == (0.9, 0.62, 0.5)
        np.testing.assert_array_equal(pushed, session.classify())
        # The state is 97, the steps are 8, and the mean is 0.
        np.testing.assert_allclose(pushed, [1, 0.5, 1], atol=1e-3)
        assert [name for name, _ in session.named()] == ["level", "n"]
        assert len(session.top(3)) == 3


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    folder = tmp_path_factory.mktemp("video")
    return write_video(folder / "a.mov", greys(3), 5, codec="png")


def test_program_prints_the_named_classes(run_bare_program, video):
    flags = f"--model={MODEL}", f"--source={video}"
    done = run_bare_program("export.run_stream", *flags)
    assert done.returncode == 0, done.stderr
    (first, *_) = done.stdout.splitlines()
    assert first.split("  (")[0].split() == ["0.00", "s", "level", "1.00", "n", "1.00"]
    done = run_bare_program("export.run_stream", *flags, "--json", "--top=1")
    (first, *_) = map(json.loads, done.stdout.splitlines())
    assert [each["class"] for each in first["named"]] == ["level", "n"]
    assert [each["class"] for each in first["top"]] == ["level"]


def test_program_says_when_no_class_is_named(run_bare_program, video, tmp_path):
    from exported_files import manifest_of, with_manifest

    output = manifest_of(MODEL)["output"] | {"thresholds": [1.0, 1.0, 1.0]}
    model = tmp_path / "model.tflite"
    # The steps' sigmoid is 0.9997, the state's rounds to 1.
    with_manifest(MODEL, model, ["n", "mean", "level"], output=output)
    done = run_bare_program(
        "export.run_stream", f"--model={model}", f"--source={video}"
    )
    assert [line.split()[2] for line in done.stdout.splitlines()] == ["level"] * 3
    with_manifest(
        VECTORS / "labels.tflite",
        model,
        ["n", "mean", "level"],
        output=output,
        states=[
            state | ({"initial_value": -100} if state["name"] == "level" else {})
            for state in manifest_of(MODEL)["states"]
        ],
    )
    done = run_bare_program(
        "export.run_stream", f"--model={model}", f"--source={video}"
    )
    assert [line.split()[2] for line in done.stdout.splitlines()] == ["(none)"] * 3
