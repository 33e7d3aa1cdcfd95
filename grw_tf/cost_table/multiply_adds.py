"""Counts the multiply-adds of a traced function from its operations' static shapes."""

import collections
import functools
import math

from tensorflow.types.experimental import ConcreteFunction

from grw_tf.cost_table.traced_graph import (
    called_functions,
    is_call,
    known_within,
    shape_of,
)


def multiply_adds(function: ConcreteFunction) -> dict[str, int]:
    """Counts the multiply-adds of convolutions and matrix products.

    Batch normalizations, activations, sums and pooling are not counted, as is common.

    Args:
        function: A concrete function. The functions that it calls are counted at each
            call.

    Returns:
        Counts by type of operation.

    Raises:
        ValueError: If an operation has an unknown shape, or is in a loop or a branch,
            as the graph does not say how often that runs.
    """
    return dict(_count(function.graph, {}, _RULES))


def convolution_outputs(function: ConcreteFunction) -> int:
    """Counts the output values of convolutions.

    Each takes one more multiply-add if batch normalizations are counted too, or the
    biases into which they can be folded.

    Raises:
        ValueError: See `multiply_adds`.
    """
    rules = dict.fromkeys(_CONVOLUTIONS, lambda operation, inputs, out: math.prod(out))
    return _count(function.graph, {}, rules).total()


def _count(graph, known, rules):
    counts = collections.Counter()
    for operation in graph.get_operations():
        if operation.type in rules:
            inputs = [shape_of(operation, tensor, known) for tensor in operation.inputs]
            output = shape_of(operation, operation.outputs[0], known)
            counts[operation.type] += rules[operation.type](operation, inputs, output)
        for name in called_functions(operation):
            called = graph._get_function(name).graph
            once = is_call(operation)
            given = known_within(called, operation, known) if once else {}
            within = _count(called, given, rules)
            if within and not once:
                raise ValueError(
                    f"{operation.name} is a {operation.type} around"
                    f" {', '.join(within)}: how often that runs is not in the graph."
                )
            counts += within
    return counts


def _convolution(operation, inputs, output):
    # A kernel [..., channels of its group, filters].
    return math.prod(output) * math.prod(inputs[1][:-1])


def _depthwise(operation, inputs, output):
    height, width, _, _ = inputs[1]
    return math.prod(output) * height * width


def _product(operation, inputs, output, transposed):
    axis = -2 if operation.get_attr(transposed) else -1
    return math.prod(output) * inputs[0][axis]


def _einsum(operation, inputs, output):
    """Counts one multiply-add for each combination of the labels' values."""
    if len(inputs) < 2:
        return 0
    of_inputs = operation.get_attr("equation").decode().split("->")[0].split(",")
    sizes = {}
    for labels, shape in zip(of_inputs, inputs, strict=True):
        before, dots, after = labels.partition("...")
        # The axes of the dots are aligned at their end, and broadcast.
        hidden = range(len(shape) - len(before + after)) if dots else ()
        axes = (*before, *reversed(hidden), *after)
        for label, size in zip(axes, shape, strict=True):
            sizes[label] = max(size, sizes.get(label, 1))
    return math.prod(sizes.values())


_CONVOLUTIONS = {
    "Conv2D": _convolution,
    "Conv3D": _convolution,
    "DepthwiseConv2dNative": _depthwise,
}
_RULES = {
    **_CONVOLUTIONS,
    "MatMul": functools.partial(_product, transposed="transpose_a"),
    "BatchMatMulV2": functools.partial(_product, transposed="adj_x"),
    "Einsum": _einsum,
}
