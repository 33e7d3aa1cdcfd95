"""Finds the smallest file that makes the float32 model's choices of class."""

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import tqdm
from ai_edge_litert import schema_py_generated as schema
from ai_edge_quantizer import qtyping

from grw_tf.export.flatbuffer import read_model
from grw_tf.export.quantization.calibration import calibrate, join_clips
from grw_tf.export.quantization.logits_error import LogitsError
from grw_tf.export.quantization.operation_recipes import (
    DEPTHWISE,
    QUANTIZABLE,
    quantize_layers,
)
from grw_tf.export.quantization.rollouts import Rollout
from grw_tf.export.regret import Regret, regret_of

# Fraction of the limits that may be used up on these clips, so that others pass too.
_SHARE = 0.8
_OPERATIONS = {
    getattr(schema.BuiltinOperator, operation.value): operation
    for operation in QUANTIZABLE
}


class Layer(NamedTuple):
    """A convolution or dense layer.

    Attributes:
        name: Name of its output tensor.
        operation: Its kind.
        multiplications: Their number a step.
        weights: Their number.
    """

    name: str
    operation: qtyping.TFLOperationName
    multiplications: int
    weights: int


@dataclasses.dataclass(frozen=True)
class Smallest:
    """The smallest file that passes.

    Attributes:
        content: The quantized TFLite model.
        mode: The precision of most layers.
        better: The precision of the others.
        layers: The others, those that cost most first.
        errors: What each layer alone, as precise as most, costs the logits relative to
            their standard deviation. Empty if all are alike.
        regret: How its choices of class compare with the float32 model's.
    """

    content: bytes
    mode: str
    better: str
    layers: Sequence[Layer]
    errors: dict[Layer, float]
    regret: Regret


def find_layers(content: bytes) -> list[Layer]:
    """Returns the layers whose weights can be quantized, of all signatures."""
    model = read_model(content)
    found = {}
    for graph in model.subgraphs:
        for operator in graph.operators:
            code = model.operatorCodes[operator.opcodeIndex].builtinCode
            if code not in _OPERATIONS:
                continue
            kernel = graph.tensors[operator.inputs[1]].shape
            output = graph.tensors[operator.outputs[0]]
            # One output takes a kernel's [outputs, height, width, inputs] but the first
            # axis, or its [1, height, width, channels] but the last.
            depthwise = _OPERATIONS[code] == DEPTHWISE
            each = math.prod(kernel[:-1] if depthwise else kernel[1:])
            name = output.name.decode()
            found[name] = Layer(
                name,
                _OPERATIONS[code],
                math.prod(output.shape) * each,
                math.prod(kernel),
            )
    return list(found.values())


def find_smallest(
    content: bytes,
    clips: Iterable[np.ndarray],
    threads: int = 1,
    thresholds: Sequence[float] | None = None,
) -> Smallest:
    """Quantizes as much of a model as its choices of class allow.

    1. All layers are "dynamic".
    2. If that does not pass, those whose activations in 8 bits cost most are
       "weight_only", which is slower and as small.
    3. If that is not enough even with all of them, all are, and those whose weights in
       8 bits cost most are in "float16".

    What a layer costs is measured with it alone in 8 bits, and how many must be better
    is found by bisection. So the search takes as many short trials as there are layers,
    once or twice, and some ten long ones.

    Args:
        content: A float32 TFLite model.
        clips: Videos uint8 [frames, size, size, 3] as the model will see them, with at
            least 300 frames in all.
        threads: Number of threads to measure with.
        thresholds: As for `regret_of`.
    """
    judge = _Judge(content, clips, threads, thresholds)
    quantized = quantize_layers(content, "dynamic")
    if judge.passes(quantized):
        return Smallest(quantized, "dynamic", "", [], {}, judge.regret(quantized))
    layers = find_layers(content)
    if judge.passes(quantize_layers(content, "weight_only")):
        mode, better = "dynamic", "weight_only"
        few = [layer for layer in layers if layer.operation != DEPTHWISE]
        sizes = [layer.multiplications for layer in few]
    else:
        mode, better, few = "weight_only", "float16", layers
        sizes = [layer.weights for layer in few]
    segments = calibrate(content, judge.streams, (), threads).segments
    error_of = LogitsError(content, segments, threads, softmax=thresholds is None)
    errors = {
        layer: error_of(quantize_layers(content, "float32", _all([layer], mode)))
        for layer in tqdm.tqdm(few, desc="Trying 8 bits", unit="layer")
    }
    power_for_size = {
        layer: errors[layer] ** 2 / size for layer, size in zip(few, sizes, strict=True)
    }
    few = sorted(few, key=power_for_size.__getitem__, reverse=True)

    def with_better(count: int) -> bytes:
        return quantize_layers(content, mode, _all(few[:count], better))

    count = _fewest(len(few), lambda count: judge.passes(with_better(count)))
    quantized = with_better(count)
    return Smallest(
        quantized, mode, better, few[:count], errors, judge.regret(quantized)
    )


def _all(layers, precision):
    return {layer.name: (layer.operation, precision) for layer in layers}


def _fewest(most: int, passes: Callable[[int], bool]) -> int:
    """Returns the least number from 1 to `most` that passes, if more are no worse."""
    fails = 0
    with tqdm.tqdm(desc="Choosing layers", unit="trial") as bar:
        while most - fails > 1:
            middle = (fails + most) // 2
            if passes(middle):
                most = middle
            else:
                fails = middle
            bar.update()
    return most


class _Judge:
    """Compares quantized models with the float32 model, over streams."""

    def __init__(self, content, clips, threads, thresholds=None):
        self._threads = threads
        self._thresholds = thresholds
        self.streams = join_clips(clips, Rollout(content).image_shape)
        self._expected = self._logits(content)
        # What was tried is asked for again when it is chosen.
        self.regret = functools.cache(self._regret)

    def _regret(self, content):
        return regret_of(self._expected, self._logits(content), self._thresholds)

    def passes(self, content):
        return not list(self.regret(content).failures(_SHARE))

    def _logits(self, content):
        rollout = Rollout(content, self._threads)
        found = []
        for stream in self.streams:
            rollout.restart()
            # As the check of the export, which the file must pass in the end.
            found.append(rollout.logits(stream, asked_every=1))
        return np.stack(found)
