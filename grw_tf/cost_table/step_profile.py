"""What the operations of a traced step cost, by TensorFlow's profiler, and the limits.

An operation cannot be faster than its arithmetic at the rate of a large matrix product,
nor than reading its inputs and writing its outputs at the rate of the memory.
"""

import collections
import dataclasses
import math
import pathlib
import tempfile
import time
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

_PRODUCT_SIDE = 1536
_ADDED_FLOATS = 2**25
_TRIES = 7
# They wait for others, which are counted themselves.
_NOT_COUNTED = ("PartitionedCall", "StatefulPartitionedCall", "If", "While", "_SINK")


@dataclasses.dataclass(frozen=True)
class Limits:
    """What the processor can do on the threads that TensorFlow has here.

    Attributes:
        gflops: 1e9 operations (two a multiply-add) a second, in a product of matrices
            of float32.
        gigabytes: 1e9 bytes a second read and written, where a long vector is added to
            another in place.
    """

    gflops: float
    gigabytes: float


@dataclasses.dataclass(frozen=True)
class Cost:
    """What all operations of a type cost in a step.

    Attributes:
        seconds: Their time. Each operation counts with the least of all steps.
        count: Their number.
        flops: Two a multiply-add, of convolutions, matrix products and their gradients.
        bytes: Those of inputs and outputs.
    """

    seconds: float
    count: int
    flops: int
    bytes: int


def measure_limits() -> Limits:
    """Measures the limits, each as the best of some tries."""
    random = np.random.default_rng(0)
    a = tf.constant(random.random((_PRODUCT_SIDE, _PRODUCT_SIDE), np.float32))
    x = tf.constant(random.random(_ADDED_FLOATS, np.float32))
    # In place: new memory would cost as much as the sum.
    total = tf.Variable(x)
    product = _least_seconds(lambda: tf.matmul(a, a))
    added = _least_seconds(lambda: total.assign_add(x, read_value=False))
    return Limits(
        2 * _PRODUCT_SIDE**3 / product / 1e9,
        # Two vectors read, and one written.
        3 * 4 * _ADDED_FLOATS / added / 1e9,
    )


def _least_seconds(function):
    seconds = []
    for _ in range(_TRIES):
        start = time.perf_counter()
        result = function()
        if result is not None:
            # Waits for the device.
            result.numpy()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def profile_step(
    step: Callable[[], object], graph: tf.Graph, steps: int
) -> dict[str, Cost]:
    """Profiles a step.

    Args:
        step: Takes a step, and waits for its end. It was called before.
        graph: Its graph, of static shapes.
        steps: How often to call it.

    Returns:
        Costs by type of operation, the slowest first.
    """
    with tempfile.TemporaryDirectory() as folder:
        options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=2)
        tf.profiler.experimental.start(folder, options)
        try:
            for _ in range(steps):
                step()
        finally:
            tf.profiler.experimental.stop()
        (path,) = pathlib.Path(folder).rglob("*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(path.read_bytes())
    return _costs(_operation_seconds(space), _traffic(graph))


def _operation_seconds(space: xplane_pb2.XSpace) -> dict[tuple[str, str], float]:
    """Returns the least seconds of each operation, by its type and name."""
    least: dict[tuple[str, str], float] = {}
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                about = plane.event_metadata[event.metadata_id]
                name, _, kind = about.name.rpartition(":")
                # Other events have no type of operation as their short name.
                if name and kind == about.display_name and kind not in _NOT_COUNTED:
                    seconds = event.duration_ps / 1e12
                    key = kind, name
                    least[key] = min(seconds, least.get(key, math.inf))
    return least


def _costs(
    seconds: Mapping[tuple[str, str], float], traffic: Mapping[str, tuple[int, int]]
) -> dict[str, Cost]:
    times: collections.defaultdict[str, float] = collections.defaultdict(float)
    counts: collections.Counter[str] = collections.Counter()
    for (kind, _), value in seconds.items():
        times[kind] += value
        counts[kind] += 1
    return {
        kind: Cost(time, counts[kind], *traffic.get(kind, (0, 0)))
        for kind, time in sorted(times.items(), key=lambda item: -item[1])
    }


def _traffic(graph):
    """Returns the operations and the bytes of each type of operation in a graph."""
    found: dict[str, tuple[int, int]] = {}
    for operation in graph.get_operations():
        flops, size = found.get(operation.type, (0, 0))
        tensors = [*operation.inputs, *operation.outputs]
        size += sum(map(_bytes, tensors))
        rule = _FLOPS.get(operation.type)
        found[operation.type] = flops + (rule(operation) if rule else 0), size
    return found


def _bytes(tensor):
    if tensor.dtype == tf.resource or not tensor.shape.is_fully_defined():
        return 0
    return math.prod(tensor.shape) * tensor.dtype.size


def _of_convolution(output, kernel):
    return 2 * math.prod(output.shape) * math.prod(kernel.shape[:-1])


def _of_depthwise(output, kernel):
    return 2 * math.prod(output.shape) * math.prod(kernel.shape[:2])


def _of_product(operation):
    shared = operation.inputs[0].shape[0 if operation.get_attr("transpose_a") else 1]
    return 2 * math.prod(operation.outputs[0].shape) * shared


def _backward(rule):
    """Returns the rules of a convolution's gradients by its input and its kernel."""
    return (
        lambda operation: rule(operation.inputs[2], operation.inputs[1]),
        lambda operation: rule(operation.inputs[2], operation.outputs[0]),
    )


_FLOPS: dict[str, Callable] = {
    "Conv2D": lambda operation: _of_convolution(
        operation.outputs[0], operation.inputs[1]
    ),
    "DepthwiseConv2dNative": lambda operation: _of_depthwise(
        operation.outputs[0], operation.inputs[1]
    ),
    "MatMul": _of_product,
}
for _kind, _rule in (
    ("Conv2D", _of_convolution),
    ("DepthwiseConv2dNative", _of_depthwise),
):
    _by_input, _by_kernel = _backward(_rule)
    _FLOPS[f"{_kind}BackpropInput"] = _by_input
    _FLOPS[f"{_kind}BackpropFilter"] = _by_kernel
