"""Writes `tests/vectors`, by which a session in another language is checked.

Run it where a rule of the session changes: PYTHONPATH=. python tests/make_vectors.py
`tests/vectors/README.md` says what the files hold.
"""

import dataclasses
import json
import math
import pathlib
import re

import numpy as np
import tf_keras
from exported_files import manifest_of
from exported_streams import write_colors, write_counter, write_stream
from random_weights import randomize
from toy_heads import HEADS
from vector_frames import frame_of, frames_of

import grw_tf.models as models
from grw_tf.export.bundle import add_to_manifest
from grw_tf.export.clip_network import ClipNetwork
from grw_tf.export.manifest import make_clip_manifest
from grw_tf.frames.clock import FrameClock
from grw_tf.frames.geometry import FrameGeometry
from grw_tf.frames.numpy_preparation import FramePreparation
from grw_tf.frames.time_unit import TimeUnit
from grw_tf.streaming import EventRules, LabelEventRules, StreamSession
from grw_tf.streaming.events import EventDetector
from grw_tf.streaming.none_of_these import MANIFEST_KEY, NoneOfThese, manifest_entry

VECTORS = pathlib.Path(__file__).parent / "vectors"


def main() -> None:
    """Writes all files."""
    _write("clock", [_clock_case(seed) for seed in range(30)])
    _write("time_unit", [_unit_case(seed) for seed in range(60)])
    _write("preparation", [_preparation_case(*case) for case in PREPARATIONS])
    _write("events", [_events_case(seed) for seed in range(26)])
    _write_models()
    _write("manifests", list(_manifest_cases(VECTORS / "counter.tflite")))
    _write("streams", [_stream_case(**case) for case in STREAMS])


def _write(name, cases):
    lines = ",\n".join(json.dumps(case) for case in cases)
    (VECTORS / f"{name}.json").write_text(f"[\n{lines}\n]\n")


def _clock_case(seed):
    rng = np.random.default_rng(seed)
    fps, max_gap = float(rng.choice([5, 7.5, 12])), float(rng.choice([1, 0.3, 20]))
    now, times = float(rng.choice([0, 1_764_000.25, -3])), []
    for _ in range(30):
        times.append(round(now, 6))
        odd = rng.choice([0, -0.03, -0.5, -1.5, 5, 9.99, 10.01, 3600])
        now += float(rng.choice([0.033, 0.034, 0.2]) if rng.random() < 0.85 else odd)
    end = [None, times[-1] + 0.7, times[-1] - 5][seed % 3]
    clock = FrameClock(fps, max_gap, warn=lambda *_: None)
    ticks = [clock.arrive(time) for time in times]
    return {
        "fps": fps,
        "max_gap": max_gap,
        "times": times,
        "ticks": ticks,
        "end": end,
        "end_ticks": clock.end(end),
    }


def _unit_case(seed):
    rng = np.random.default_rng(seed)
    now, times = float(rng.choice([0, 7, 1_764_000])), []
    step = float(rng.choice([0.04, 0.4, 10, 33, 40, 400, 3003, 33_333, 33e6]))
    for _ in range(rng.integers(1, 14)):
        times.append(round(now, 3))
        odd = rng.choice([0, -step, 0.3, 1, 50, 3600, 9 * step])
        now += float(step * rng.uniform(0.8, 1.2) if rng.random() < 0.7 else odd)
    max_gap = float(rng.choice([1, 20]))
    unit, answers = TimeUnit(max_gap), []
    for time in times:
        try:
            answers.append(unit.check(time))
        except ValueError as error:
            answers.append(re.search("look like (.*): divide", str(error)).group(1))
            break
    return {"max_gap": max_gap, "times": times, "answers": answers}


# Fit, size, side, height, width.
PREPARATIONS = [
    ("square", 16, 19, 36, 48),
    ("short_side", 16, 19, 36, 48),
    ("short_side", 16, 19, 48, 37),
    ("square", 16, 19, 11, 7),
    ("short_side", 16, 19, 10, 60),
    ("square", 16, 16, 16, 16),
    ("short_side", 16, 20, 19, 100),
]


def _preparation_case(fit, size, side, height, width):
    prepare = FramePreparation(FrameGeometry(size, fit, side))
    return {
        "frame_fit": fit,
        "size": size,
        "resize": side,
        "height": height,
        "width": width,
        "pixels": prepare(frame_of(3, height, width)).ravel().tolist(),
    }


def _events_case(seed):
    rng = np.random.default_rng(seed)
    labels, several = ["a", "b", "background", "c"], seed % 2 == 1
    count = len(labels)
    on = rng.choice([0.4, 0.5, 0.7], count).tolist()
    off = [round(threshold * rng.choice([0.6, 1.0]), 3) for threshold in on]
    seconds = {
        "least_seconds": float(rng.choice([0, 0.5])),
        "merge_gap": float(rng.choice([0, 0.4, 1.0])),
    }
    rules = LabelEventRules(on, off, **seconds)
    if not several:
        rules = EventRules(on[0], off[0], **seconds)
    detector = EventDetector(labels, rules)
    now, level = 0.0, rng.uniform(-2, 2, count)
    spans, scores, events = [], [], []
    for step in range(30):
        if rng.random() < 0.05:
            now += 7.3
        spans.append([round(now, 3), round(now + 0.2, 3)])
        now += 0.2
        level = 0.8 * level + rng.normal(0, 1.3, count)
        shares = 1 / (1 + np.exp(-level)) if several else np.exp(2 * level)
        row = (shares if several else shares / shares.sum()).round(3).tolist()
        if seed >= 24 and 4 <= step < 11:
            # NaN, which JSON lacks: of one class, or of all by a softmax.
            row = [None, *row[1:]] if several else count * [None]
        scores.append(row)
        events.append(_told(detector.push(*spans[-1], np.array(row, np.float64))))
    events.append(_told(detector.finish()))
    return {
        "labels": labels,
        "several_labels": several,
        "on_thresholds": on if several else count * on[:1],
        "off_thresholds": off if several else count * off[:1],
        **seconds,
        "spans": spans,
        "scores": scores,
        "events": events,
    }


def _told(events):
    return [[event.start, event.end, event.label, event.score] for event in events]


def _write_models():
    for head, name, mode in (
        ("official", "step", "none"),
        ("official", "dynamic", "dynamic"),
        ("transformer", "classify", "float16"),
    ):
        tf_keras.utils.set_random_seed(0)
        config = models.ModelConfig(
            backbone=models.BackboneConfig(model_id="nano"),
            head=HEADS[head],
            num_classes=5,
            frames=8,
            size=32,
        )
        model = models.build_model(config)
        randomize(model)
        write_stream(VECTORS / f"{name}.tflite", model, mode=mode)
    write_counter(VECTORS / "counter.tflite")
    write_counter(VECTORS / "chunks.tflite", "float32", frames_per_step=3)
    _write_labels()
    _write_colors()


def _write_colors():
    path = VECTORS / "colors.tflite"
    labels = ["red", "green", "background"]
    write_colors(path, labels, remembers=True)
    calibrated = NoneOfThese(labels, 1.7, EventRules(0.6, 0.5, 0.6, 0.3), 4)
    add_to_manifest(path, path, {MANIFEST_KEY: manifest_entry(calibrated, {})})


def _write_labels():
    # The second is reached by some frames, the third while the int8 state is above 0.
    thresholds = [0.9, 0.62, 0.5]
    write_counter(VECTORS / "labels.tflite", thresholds=thresholds)


def _manifest_cases(path):
    manifest = manifest_of(path)
    taken, (state, *others) = manifest["input"], manifest["states"]

    def without(name, mapping):
        return {key: value for key, value in mapping.items() if key != name}

    def states(**changes):
        return {"states": [state | changes, *others]}

    entry = {
        "temperature": 1.5,
        "on_threshold": 0.8,
        "off_threshold": 0.6,
        "least_seconds": 0.5,
        "merge_gap": 1,
        "memory_frames": 4,
        "calibration": {},
    }

    def calibrated(**changes):
        return {MANIFEST_KEY: entry | changes}

    output = manifest["output"]
    sigmoid = output | {"activation": "sigmoid", "thresholds": [0, 0.5, 1.0]}

    no_stream = (
        {"input": {}},
        *({"input": taken | {"resize": side}} for side in (9.5, 10**9, 7, True, None)),
        {"input": taken | {"channels": "BGR"}},
        {"input": taken | {"frame_fit": "stretch"}},
        {"input": without("frame_fit", taken)},
        {"input": taken | {"range": [0.0, 1.0]}},
        {"input": taken | {"dtype": "float64"}},
        {"input": taken | {"shape": [1, 8, 8]}},
        {"input": taken | {"shape": [1, 8, 9, 3]}},
        states(shape=5),
        states(shape=[1, -1]),
        states(initial_value=math.nan),
        states(initial_value="0"),
        states(dtype="int8", initial_value=128),
        states(dtype="int32", initial_value=0.5),
        states(dtype="float64"),
        {"states": [*manifest["states"], state]},
        {"states": None},
        {"states": [{"name": "a"}]},
        {"fps": math.inf},
        {"fps": True},
        {"fps": 0},
        {"format_version": "2"},
        {"format_version": True},
        {"format_version": 2.0},
        {"parity": [1]},
        {"frames_per_step": 2},
        {"signatures": []},
        {"output": {"name": "logits", "shape": [1, 4]}},
        {"output": None},
        *(
            {"format_version": 3, "output": output | {"activation": "sigmoid"} | more}
            for more in (
                {},
                {"thresholds": None},
                {"thresholds": 0.5},
                {"thresholds": [0.5, 0.5]},
                {"thresholds": [0.5, 0.5, 1.5]},
                {"thresholds": [0.5, 0.5, -0.1]},
                {"thresholds": [0.5, 0.5, math.nan]},
                {"thresholds": [0.5, 0.5, "0.5"]},
                {"thresholds": [0.5, 0.5, True]},
            )
        ),
        {"output": sigmoid},
        {"format_version": 3, "output": sigmoid | {"activation": "tanh"}},
        {"format_version": 3, "output": sigmoid | {"activation": None}},
    )
    other_model = (
        states(name="foo"),
        states(shape=[1, 2, 1]),
        states(dtype="int16"),
        {"states": others},
        {"signatures": ["step", "classify"]},
    )
    good = (
        {},
        {"parity": None},
        {"parity": {"passed": True, "errors": [math.nan, -math.inf, 1e-7]}},
        {"format_version": 1, "input": without("frame_fit", taken)},
        {"note": 'é \\ " \n \U0001f600'},
        {"format_version": 3},
        {"format_version": 3, "output": sigmoid},
        {"output": output | {"activation": "softmax"}},
        {MANIFEST_KEY: None},
        calibrated(),
        calibrated(memory_frames=None, off_threshold=0.8, least_seconds=0),
    )
    bad_calibration = (
        {MANIFEST_KEY: []},
        {MANIFEST_KEY: without("memory_frames", entry)},
        {MANIFEST_KEY: without("merge_gap", entry)},
        *(calibrated(temperature=value) for value in (0, -1, "1", True, math.inf)),
        *(calibrated(on_threshold=value) for value in (1.5, math.nan, None)),
        *(calibrated(off_threshold=value) for value in (0, 0.9, "0.5")),
        *(calibrated(least_seconds=value) for value in (-0.5, math.inf)),
        calibrated(merge_gap=-1),
        *(calibrated(memory_frames=value) for value in (0, -4, 2.5, "4", True)),
    )
    for error, cases in (
        (None, good),
        ("does not describe a stream", no_stream),
        ("manifest of another model", other_model),
        ("has format 4", ({"format_version": 4},)),
        ("is damaged: copy it again", ({"model_crc32": 1},)),
        ("has thresholds that cannot be used", bad_calibration),
        ("classifies whole clips and cannot be streamed", (_clip_manifest(),)),
    ):
        for changes in cases:
            yield {"manifest": json.dumps(manifest | changes), "error": error}


def _clip_manifest():
    config = models.ModelConfig(
        backbone=models.BackboneConfig.of_family("slowonly_nano"),
        head=HEADS["official"],
        num_classes=3,
        frames=8,
        size=32,
    )
    manifest = make_clip_manifest(ClipNetwork(models.build_model(config), "uint8"))
    # Those of a stream must not be there.
    return manifest | {"states": None, "frames_per_step": None}


STREAMS = [
    dict(model="step", count=10),
    dict(model="dynamic", count=10),
    dict(model="step", count=25, height=36, width=48, times=np.arange(25) / 12.5),
    dict(model="classify", count=10),
    dict(model="chunks", count=7, height=10, width=14),
    dict(
        model="counter",
        count=8,
        height=10,
        width=14,
        times=[0, 3600, 3600.2, 3600.4, 7200, 10800, 14400, 18000],
    ),
    dict(model="labels", count=40, height=10, width=14),
    dict(
        model="labels",
        count=100,
        height=10,
        width=14,
        times=np.arange(100) / 5,
        find_events=True,
    ),
    # Logits on demand, and rules of the caller.
    dict(
        model="classify",
        count=10,
        times=np.arange(10) / 5,
        find_events=EventRules(0.5, 0.4, 0.0, 0.0),
    ),
    dict(model="colors", count=30, height=1, width=1),
    dict(
        model="colors",
        count=40,
        height=1,
        width=1,
        # Colors stay for 0.9 s at most, with a jump of an hour between them.
        times=np.cumsum(np.where(np.arange(40) == 20, 3600, np.arange(40) % 7 * 0.15)),
        find_events=True,
    ),
]


def _stream_case(model, count, height=None, width=None, times=None, find_events=False):
    """Returns the steps and logits after each frame and, with times, after the end."""
    case = {"model": f"{model}.tflite", "prepared": height is None}
    path = VECTORS / case["model"]
    with StreamSession(path, find_events=find_events) as session:
        height, width = height or session.size, width or session.size
        push = session.push_prepared if case["prepared"] else session.push
        times = None if times is None else [float(time) for time in times]
        steps, logits, scores, named, answers, events = [], [], [], [], [], []

        def note():
            steps.append(session.steps)
            logits.append(session.logits().tolist() if session.steps else None)
            seen = bool(session.steps)
            if session.thresholds:
                scores.append(session.classify().tolist() if seen else None)
                names = session.named() if seen else []
                named.append(sorted(name for name, _ in names))
            if session.none_of_these.may_say_none:
                answers.append(list(session.answer()) if seen else None)
            if find_events:
                events.append(_told(session.events()))

        for index, frame in enumerate(frames_of(count, height, width)):
            push(frame, None if times is None else times[index])
            note()
        if times is not None:
            session.flush()
            note()
    largest = max(abs(logit) for step in logits for logit in step or [])
    # Activations in 8 bits may round to their neighbors.
    share = 2e-2 if model == "dynamic" else 1e-5
    if scores:
        case |= {"scores": scores, "named": named}
    if answers:
        case |= {"answers": answers}
    if find_events:
        rules = isinstance(find_events, EventRules) and dataclasses.asdict(find_events)
        case |= {"rules": rules or None, "events": events}
    return case | {
        "tolerance": share * largest,
        "height": height,
        "width": width,
        "frames": count,
        "times": times,
        "steps": steps,
        "logits": logits,
    }


if __name__ == "__main__":
    main()
