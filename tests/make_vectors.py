"""Writes `tests/vectors`, by which a session in another language is checked.

Run it where a rule of the session changes: PYTHONPATH=. python tests/make_vectors.py
`tests/vectors/README.md` says what the files hold.
"""

import json
import math
import pathlib
import re

import numpy as np
import tf_keras
from exported_files import manifest_of
from exported_streams import write_counter, write_stream
from random_weights import randomize
from toy_heads import HEADS
from vector_frames import frame_of, frames_of

import grw_tf.models as models
from grw_tf.frames.clock import FrameClock
from grw_tf.frames.geometry import FrameGeometry
from grw_tf.frames.numpy_preparation import FramePreparation
from grw_tf.frames.time_unit import TimeUnit
from grw_tf.streaming import StreamSession

VECTORS = pathlib.Path(__file__).parent / "vectors"


def main() -> None:
    """Writes all files."""
    _write("clock", [_clock_case(seed) for seed in range(30)])
    _write("time_unit", [_unit_case(seed) for seed in range(60)])
    _write("preparation", [_preparation_case(*case) for case in PREPARATIONS])
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
    )
    for error, cases in (
        (None, good),
        ("does not describe a stream", no_stream),
        ("manifest of another model", other_model),
        ("has format 4", ({"format_version": 4},)),
        ("is damaged: copy it again", ({"model_crc32": 1},)),
    ):
        for changes in cases:
            yield {"manifest": json.dumps(manifest | changes), "error": error}


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
]


def _stream_case(model, count, height=None, width=None, times=None):
    """Returns the steps and logits after each frame and, with times, after the end."""
    case = {"model": f"{model}.tflite", "prepared": height is None}
    with StreamSession(VECTORS / case["model"]) as session:
        height, width = height or session.size, width or session.size
        push = session.push_prepared if case["prepared"] else session.push
        times = None if times is None else [float(time) for time in times]
        steps, logits, scores, named = [], [], [], []

        def note():
            steps.append(session.steps)
            logits.append(session.logits().tolist() if session.steps else None)
            if session.thresholds:
                scores.append(session.classify().tolist())
                named.append(sorted(name for name, _ in session.named()))

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
