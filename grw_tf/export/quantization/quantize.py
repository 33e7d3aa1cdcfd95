"""Quantizes a float32 TFLite model: smaller, faster, and streaming as well."""

import dataclasses
import os
from collections.abc import Iterable, Sequence

import numpy as np

from grw_tf.common.checks import check_positive
from grw_tf.common.suggestions import suggest
from grw_tf.export.flatbuffer import read_model
from grw_tf.export.quantization.calibration import calibrate
from grw_tf.export.quantization.integer_only import (
    operations_in_float,
    quantize_integer_only,
)
from grw_tf.export.quantization.operation_recipes import quantize_layers
from grw_tf.export.quantization.precision_search import choose, find_parts
from grw_tf.export.quantization.rollouts import Rollout
from grw_tf.export.quantization.smallest import find_smallest
from grw_tf.export.regret import regret_of
from grw_tf.export.state_entries import state_entries

AUTO = "auto"
MODES = (AUTO, "none", "float16", "dynamic", "weight_only", "int8", "int16")
CALIBRATED = ("int8", "int16")
"""Modes that take ranges from clips, other than those that the file is checked on."""

NOISE_BUDGET = 0.01
"""Error that int8 may add to dynamic's, relative to the logits' standard deviation.

It is less than dynamic's own, so that near ties come out alike.
"""

WEIGHTS = {
    "none": "float32",
    "float16": "float16, computed with in float32",
    "dynamic": "int8 by channel; activations in int8 by each frame's own range, or"
    " float32 in depthwise convolutions",
    "weight_only": "int8 by channel, computed with in float32",
    "int16": "int8 by channel; activations in int16 by fixed ranges",
}
"""By mode, what a file's weights are, in words."""
_FLOAT_STATE = "as precise as the activations"
_MEAN = "a running mean: it moves by 1/n, in int8 it would stand still"
_COUNT = "a count"
_INT16_STATE = "in the range of the calibration, and as much again"


@dataclasses.dataclass(frozen=True)
class Quantized:
    """A quantized TFLite model.

    Attributes:
        content: Its bytes.
        report: The precision of each part and the reason, as JSON: `mode`, that of most
            layers for auto; `weights`; for auto `asked`, the `regret` on the clips, and
            the `layers` with another `precision` than most, each with `logits_error`,
            the error with this layer alone as most are; `states`, each with its `dtype`
            and the `reason`, and for int8
            `logits_error`, the error with this state alone in int8; for int8 also
            `operations`, likewise, with their `activations`, `noise_budget`,
            `logits_error` of all together, and `calibration`, with the `agreement` on
            its clips; for int16 also `float_operations`, those that are left, and
            `calibration`.
    """

    content: bytes
    report: dict


def quantize(
    content: bytes,
    mode: str,
    clips: Iterable[np.ndarray] | None = None,
    noise_budget: float = NOISE_BUDGET,
    threads: int | None = None,
    thresholds: Sequence[float] | None = None,
) -> Quantized:
    """Quantizes a model of `conversion.convert`.

    - "auto": as "dynamic", except for layers that must be more precise so that the file
      makes the model's choices of class on the clips (`find_smallest`).
    - "none": nothing.
    - "float16": weights take half the space.
    - "dynamic": weights take a quarter, and convolutions compute in 8 bits, with the
      range of each frame's activations.
    - "weight_only": weights take a quarter; computation stays in float32.
    - "int8": in addition, as many convolutions as the error budget allows compute with
      fixed ranges, which is faster, and as many states take a quarter of the space.
      What each costs is measured on the clips.
    - "int16": for accelerators without floats. All operations and states are in int16,
      with weights in int8, but for those that quantize the image and dequantize the
      logits.

    Args:
        content: The float32 model.
        mode: One of MODES.
        clips: For auto, int8 and int16, videos uint8 [frames, size, size, 3] as the
            model will see them, with at least 300 frames in all.
        noise_budget: For int8, the error that it may add to the logits besides that of
            8-bit weights, relative to their standard deviation.
        threads: For auto, int8 and int16, the number of threads to measure with; by
            default one for each CPU.
        thresholds: The scores [classes] from which sigmoids name their classes; None
            for a model with a softmax.

    Raises:
        ValueError: For an unknown mode, missing or unusable clips, a model that is not
            in float32 or lacks a signature `step`, or for int16 one with an operation
            that cannot be in integers.
    """
    _check(content, mode, clips, noise_budget)
    threads = threads or os.cpu_count() or 1
    if mode == "int8":
        return _int8(content, clips, noise_budget, threads, thresholds)
    if mode == "int16":
        return _int16(content, clips, threads, thresholds)
    if mode == AUTO:
        return _auto(content, clips, threads, thresholds)
    quantized = content if mode == "none" else quantize_layers(content, mode)
    return Quantized(quantized, _report(content, mode))


def _auto(content, clips, threads, thresholds):
    found = find_smallest(content, clips, threads, thresholds)
    report = _report(content, found.mode) | {
        "asked": AUTO,
        "regret": dataclasses.asdict(found.regret),
        "layers": [
            {
                "name": _layer(layer.name),
                "precision": found.better,
                "logits_error": round(found.errors[layer], 4),
            }
            for layer in found.layers
        ],
    }
    return Quantized(found.content, report)


def _report(content, mode):
    states = [
        _state(entry, _FLOAT_STATE if entry["dtype"] == "float32" else _COUNT)
        for entry in state_entries(content)
    ]
    return {"mode": mode, "weights": WEIGHTS[mode], "states": states}


def _int8(content, clips, noise_budget, threads, thresholds):
    parts = find_parts(content)
    tensors = [
        tensor
        for part in parts
        if part.kind == "operation"
        for tensor in (part.name, part.source)
    ]
    calibration = calibrate(content, clips, tensors, threads)
    softmax = thresholds is None
    choice = choose(content, parts, calibration, noise_budget, threads, softmax)
    report = {
        "mode": "int8",
        "weights": WEIGHTS["dynamic"],
        "noise_budget": noise_budget,
        "logits_error": round(choice.error, 4),
        "calibration": _calibration_report(
            content, choice.content, calibration, threads, thresholds
        ),
        "operations": _operations(choice),
        "states": _states(choice),
    }
    return Quantized(choice.content, report)


def _int16(content, clips, threads, thresholds):
    quantized, calibration = quantize_integer_only(content, clips, threads)
    states = [
        _state(entry, _INT16_STATE if entry["dtype"] == "int16" else _COUNT)
        for entry in state_entries(quantized)
    ]
    report = {
        "mode": "int16",
        "weights": WEIGHTS["int16"],
        "float_operations": operations_in_float(quantized),
        "calibration": _calibration_report(
            content, quantized, calibration, threads, thresholds
        ),
        "states": states,
    }
    return Quantized(quantized, report)


def _calibration_report(content, quantized, calibration, threads, thresholds):
    return {
        "streams": len(calibration.streams),
        "frames": sum(map(len, calibration.streams)),
        "agreement": _agreement(content, quantized, calibration, threads, thresholds),
    }


def _operations(choice):
    return [
        {
            "name": _layer(part.name),
            "activations": "int8" if part in choice.chosen else "dynamic",
            "logits_error": round(error, 4),
        }
        for part, error in choice.errors.items()
        if part.kind == "operation"
    ]


def _layer(name):
    """Returns the convolution's name, without those of fused operations."""
    return next((n for n in name.split(";") if "Conv2D" in n), name)


def _states(choice):
    errors = {p.name: e for p, e in choice.errors.items() if p.kind == "state"}
    found = []
    for entry in state_entries(choice.content):
        error = errors.get(entry["name"])
        if error is None:
            reason = _MEAN if entry["dtype"] == "float32" else _COUNT
            found.append(_state(entry, reason))
        else:
            cheap = entry["dtype"] == "int8"
            reason = "within the budget" if cheap else "int8 would cost too much"
            found.append(_state(entry, reason) | {"logits_error": round(error, 4)})
    return found


def _state(entry, reason):
    return {"name": entry["name"], "dtype": entry["dtype"], "reason": reason}


def _agreement(content, quantized, calibration, threads, thresholds):
    """Returns the fraction of times with the same choice of class, or of classes."""
    models = [Rollout(c, threads) for c in (content, quantized)]
    same = []
    for stream in calibration.streams:
        for model in models:
            model.restart()
        logits = [model.logits(stream)[None] for model in models]
        same.append(regret_of(*logits, thresholds).agreement)
    return float(np.mean(same))


def _check(content, mode, clips, noise_budget):
    if mode not in MODES:
        raise ValueError(f"Unknown quantization {mode!r}; {suggest(mode, MODES)}")
    if mode in (AUTO, *CALIBRATED) and clips is None:
        raise ValueError(
            f"{mode} needs clips to measure on: give videos like those the model will"
            " see."
        )
    check_positive(noise_budget=noise_budget)
    model = read_model(content)
    for tensor in (t for graph in model.subgraphs for t in graph.tensors):
        if tensor.quantization is not None and tensor.quantization.scale is not None:
            raise ValueError(
                f"The model is quantized already, at {tensor.name.decode()}: give a"
                " float32 one."
            )
    state_entries(content)
