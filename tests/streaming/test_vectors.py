"""Tests that sessions do what `tests/vectors` records for all languages."""

import json
import logging
import pathlib

import numpy as np
import pytest
from exported_files import manifest_of, with_manifest
from vector_frames import frame_of, frames_of

from grw_tf.frames.clock import FrameClock
from grw_tf.frames.geometry import FrameGeometry
from grw_tf.frames.numpy_preparation import FramePreparation
from grw_tf.frames.opencv_preparation import prepare_frame
from grw_tf.frames.time_unit import TimeUnit
from grw_tf.streaming import StreamSession

VECTORS = pathlib.Path(__file__).parents[1] / "vectors"


def _cases(name):
    return json.loads((VECTORS / f"{name}.json").read_text())


def test_clock():
    cases = _cases("clock")
    for case in cases:
        clock = FrameClock(case["fps"], case["max_gap"], warn=lambda *_: None)
        assert [clock.arrive(time) for time in case["times"]] == case["ticks"]
        assert clock.end(case["end"]) == case["end_ticks"]
    # Frames are dropped, shown once, repeated, and repeated over a gap.
    assert {0, 1, 2, 5} <= {ticks for case in cases for ticks in case["ticks"]}


def test_time_unit():
    cases = _cases("time_unit")
    for case in cases:
        unit = TimeUnit(case["max_gap"])
        for time, answer in zip(case["times"], case["answers"], strict=False):
            if isinstance(answer, bool):
                assert unit.check(time) is answer
            else:
                with pytest.raises(ValueError, match=f"look like {answer}: divide"):
                    unit.check(time)
    told = {answer for case in cases for answer in case["answers"]}
    assert {True, False, "milliseconds", "90 kHz ticks", "microseconds"} <= told


@pytest.mark.parametrize("case", _cases("preparation"))
def test_preparation(case):
    geometry = FrameGeometry(case["size"], case["frame_fit"], case["resize"])
    frame = frame_of(3, case["height"], case["width"])
    expected = np.reshape(case["pixels"], (case["size"], case["size"], 3))
    for pixels in (FramePreparation(geometry)(frame), prepare_frame(frame, geometry)):
        np.testing.assert_allclose(pixels.astype(int), expected, atol=1)


@pytest.mark.parametrize("case", _cases("manifests"))
def test_manifest(case, tmp_path):
    changed = tmp_path / "changed.tflite"
    labels = ["n", "mean", "level"]
    changes = json.loads(case["manifest"])
    counter = VECTORS / "counter.tflite"
    # A key of the model's own manifest that the case leaves out would come back.
    assert manifest_of(counter).keys() <= changes.keys()
    with_manifest(counter, changed, labels, **changes)
    if case["error"] is None:
        StreamSession(changed).close()
    else:
        with pytest.raises(ValueError, match=case["error"]):
            StreamSession(changed)


@pytest.mark.parametrize("case", _cases("streams"), ids=lambda case: case["model"])
def test_stream(case, caplog):
    caplog.set_level(logging.ERROR)
    times = case["times"] or [None] * case["frames"]
    with StreamSession(VECTORS / case["model"]) as session:
        push = session.push_prepared if case["prepared"] else session.push
        frames = frames_of(case["frames"], case["height"], case["width"])
        for index, (frame, time) in enumerate(zip(frames, times, strict=True)):
            push(frame, time)
            _assert_as_recorded(session, case, index)
        if case["times"]:
            session.flush()
            _assert_as_recorded(session, case, -1)


def _assert_as_recorded(session, case, index):
    assert session.steps == case["steps"][index]
    if session.steps:
        expected = case["logits"][index]
        np.testing.assert_allclose(session.logits(), expected, 0, case["tolerance"])
    if "scores" in case:
        np.testing.assert_allclose(session.classify(), case["scores"][index], 0, 1e-5)
        assert sorted(name for name, _ in session.named()) == case["named"][index]
