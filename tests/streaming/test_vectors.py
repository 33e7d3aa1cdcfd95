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
from grw_tf.streaming import EventRules, LabelEventRules, StreamSession
from grw_tf.streaming.events import EventDetector

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


def _assert_events(found, expected, tolerance):
    assert [event.label for event in found] == [label for *_, label, _ in expected]
    for one, (start, end, _, score) in zip(found, expected, strict=True):
        assert (one.start, one.end) == pytest.approx((start, end), abs=1e-6)
        assert one.score == pytest.approx(score, abs=tolerance)


@pytest.mark.parametrize("case", _cases("events"))
def test_events(case):
    on, off = case["on_thresholds"], case["off_thresholds"]
    seconds = case["least_seconds"], case["merge_gap"]
    rules = LabelEventRules(on, off, *seconds)
    if not case["several_labels"]:
        rules = EventRules(on[0], off[0], *seconds)
    detector = EventDetector(case["labels"], rules)
    *during, last = case["events"]
    for (start, end), scores, events in zip(
        case["spans"], case["scores"], during, strict=True
    ):
        row = np.array(scores, np.float64)
        _assert_events(detector.push(start, end, row), events, 0)
    _assert_events(detector.finish(), last, 0)


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
    rules = case.get("rules")
    finds = EventRules(**rules) if rules else "events" in case
    with StreamSession(VECTORS / case["model"], find_events=finds) as session:
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
    if "scores" in case and session.steps:
        np.testing.assert_allclose(session.classify(), case["scores"][index], 0, 1e-5)
        assert sorted(name for name, _ in session.named()) == case["named"][index]
    if "answers" in case and session.steps:
        label, score = session.answer()
        assert label == case["answers"][index][0]
        assert score == pytest.approx(case["answers"][index][1], abs=1e-5)
    if "events" in case:
        _assert_events(session.events(), case["events"][index], 1e-5)
