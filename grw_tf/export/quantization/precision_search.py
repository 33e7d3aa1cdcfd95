"""Chooses which parts of a model are in 8 bits, by what each costs the logits."""

import math
import typing
from collections.abc import Sequence

import numpy as np
import tqdm
from ai_edge_litert import schema_py_generated as schema

from grw_tf.export.flatbuffer import graph_index, read_model
from grw_tf.export.quantization.calibration import Calibration
from grw_tf.export.quantization.logits_error import LogitsError
from grw_tf.export.quantization.operation_recipes import int8_operations
from grw_tf.export.quantization.state_quantization import quantize_states
from grw_tf.export.state_entries import state_entries
from grw_tf.streaming.signature_names import STEP

# Running means soon move by less than a step of 8 bits.
_RUNNING_MEAN = "_mean"
# Share of the budget's power.
_OPERATIONS_SHARE = 0.8
# Factor for a budget that was too large.
_SMALLER = 0.8


class Part(typing.NamedTuple):
    """A part of a model that can be in 8 bits.

    Attributes:
        kind: "operation" or "state".
        name: Name of the operation's output tensor, or of the state.
        size: Number of multiplications of an operation, or of values of a state.
        source: Name of an operation's input tensor.
    """

    kind: str
    name: str
    size: int
    source: str = ""


class Choice(typing.NamedTuple):
    """Which parts are in 8 bits.

    Attributes:
        content: The quantized TFLite model.
        errors: Errors of the logits with one part alone in 8 bits, by `Part`.
        chosen: The parts that are in 8 bits.
        error: Error of the logits with all of these.
    """

    content: bytes
    errors: dict[Part, float]
    chosen: list[Part]
    error: float


def find_parts(content: bytes) -> list[Part]:
    """Returns the parts that may be in 8 bits: convolutions over space, and states.

    Operations on vectors are left out: gates, heads and classifiers are fast as they
    are. So are running means, which would stand still.
    """
    model = read_model(content)
    graph = model.subgraphs[graph_index(model, STEP)]
    parts = []
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex].builtinCode
        if code != schema.BuiltinOperator.CONV_2D:
            continue
        source, kernel, *_ = (graph.tensors[index] for index in operator.inputs)
        output = graph.tensors[operator.outputs[0]]
        if np.prod(output.shape[1:3]) > 1:
            size = int(np.prod(output.shape) * np.prod(kernel.shape[1:]))
            names = output.name.decode(), source.name.decode()
            parts.append(Part("operation", names[0], size, names[1]))
    parts += [
        Part("state", entry["name"], int(np.prod(entry["shape"])))
        for entry in state_entries(content)
        if entry["dtype"] == "float32" and not entry["name"].endswith(_RUNNING_MEAN)
    ]
    return parts


def choose(
    content: bytes,
    parts: Sequence[Part],
    calibration: Calibration,
    noise_budget: float,
    threads: int = 1,
    softmax: bool = True,
) -> Choice:
    """Puts as many parts into 8 bits as the error budget allows.

    The powers of single parts' errors nearly add up: parts are taken until the budget
    is spent, and fewer if all together cost more. `noise_budget` is the error that
    these parts of the float32 model may add to the logits, besides that of 8-bit
    weights, relative to their standard deviation. For `softmax`, see `LogitsError`.
    """
    error_of = LogitsError(content, calibration.segments, threads, softmax)
    bare = error_of(_build(content, [], calibration, others=True))
    errors = {}
    for part in tqdm.tqdm(parts, desc="Trying 8 bits", unit="part"):
        errors[part] = error_of(_build(content, [part], calibration, others=False))
    budget = noise_budget
    while True:
        chosen = _affordable(errors, budget)
        built = _build(content, chosen, calibration, others=True)
        error = error_of(built)
        if error <= math.hypot(bare, noise_budget) or not chosen:
            return Choice(built, errors, chosen, error)
        budget *= _SMALLER


def _affordable(errors, budget):
    """Returns the best parts for a budget: those that gain much and cost little.

    Operations come first, because they make a model faster; states, which save memory,
    get what is left.
    """
    chosen, power = [], 0.0
    for kind, share in (("operation", _OPERATIONS_SHARE), ("state", 1.0)):
        parts = [part for part in errors if part.kind == kind]
        for part in sorted(parts, key=lambda p: errors[p] ** 2 / p.size):
            if power + errors[part] ** 2 <= share * budget**2:
                power += errors[part] ** 2
                chosen.append(part)
    return chosen


def _build(content, parts, calibration, others):
    fixed = [part.name for part in parts if part.kind == "operation"]
    states = {
        part.name: calibration.state_ranges[part.name]
        for part in parts
        if part.kind == "state"
    }
    if fixed or others:
        content = int8_operations(content, fixed, calibration.ranges, others)
    return quantize_states(content, states)
