"""Multiply-adds of a traced function, from its operations and their static shapes."""

import collections
import functools
import math


def multiply_adds(function) -> dict[str, int]:
    """Counts the multiply-adds of convolutions and matrix products.

    Batch normalisations, activations, sums and pooling are not counted, as is common.

    Args:
      function: a concrete function; what it calls is counted at each call.

    Returns:
      Counts by the operations' types.

    Raises:
      ValueError: for an operation of unknown shape, or one in a loop or a branch, for
        how often that runs is not in the graph.
    """
    return dict(_count(function.graph, {}))


def _count(graph, known):
    counts = collections.Counter()
    for operation in graph.get_operations():
        if operation.type in _RULES:
            inputs = [_shape(operation, tensor, known) for tensor in operation.inputs]
            output = _shape(operation, operation.outputs[0], known)
            counts[operation.type] += _RULES[operation.type](operation, inputs, output)
        for name in _called(operation):
            called = graph._get_function(name).graph
            once = operation.type.endswith("PartitionedCall")
            given = _known_within(called, operation, known) if once else {}
            within = _count(called, given)
            if within and not once:
                raise ValueError(
                    f"{operation.name} is a {operation.type} around"
                    f" {', '.join(within)}: how often that runs is not in the graph."
                )
            counts += within
    return counts


def _called(operation):
    attributes = operation.node_def.attr.values()
    return [attr.func.name for attr in attributes if attr.HasField("func")]


def _known_within(called, operation, known):
    """Returns shapes that a call gives to tensors of a graph, by their names.

    The graph may serve calls of several shapes, as that of Keras' grouped convolutions.
    """
    found = {}
    for tensor, given in (
        *zip(called.inputs, operation.inputs, strict=True),
        *zip(called.outputs, operation.outputs, strict=True),
    ):
        shape = _merged(given, known)
        found[tensor.name] = shape
        while tensor.op.type == "Identity":
            (tensor,) = tensor.op.inputs
            found[tensor.name] = shape
    return found


def _merged(tensor, known):
    return tensor.shape.merge_with(known.get(tensor.name))


def _shape(operation, tensor, known):
    shape = _merged(tensor, known)
    if not shape.is_fully_defined():
        raise ValueError(
            f"{operation.name} has the tensor {tensor.name} of shape {shape}: trace the"
            " function with shapes that are known, the batch's too."
        )
    return tuple(shape)


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
    """Counts one for each combination of all labels' values."""
    if len(inputs) < 2:
        return 0
    of_inputs = operation.get_attr("equation").decode().split("->")[0].split(",")
    sizes = {}
    for labels, shape in zip(of_inputs, inputs, strict=True):
        before, dots, after = labels.partition("...")
        # Axes under the dots are aligned at their end, and broadcast.
        hidden = range(len(shape) - len(before + after)) if dots else ()
        axes = (*before, *reversed(hidden), *after)
        for label, size in zip(axes, shape, strict=True):
            sizes[label] = max(size, sizes.get(label, 1))
    return math.prod(sizes.values())


_RULES = {
    "Conv2D": _convolution,
    "Conv3D": _convolution,
    "DepthwiseConv2dNative": _depthwise,
    "MatMul": functools.partial(_product, transposed="transpose_a"),
    "BatchMatMulV2": functools.partial(_product, transposed="adj_x"),
    "Einsum": _einsum,
}
