"""Multiply-adds of a traced function, from its operations and their static shapes."""

import collections
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
    return dict(_count(function.graph))


def _count(graph):
    counts = collections.Counter()
    for operation in graph.get_operations():
        if operation.type in _RULES:
            counts[operation.type] += _RULES[operation.type](operation)
        for name in _called(operation):
            within = _count(graph._get_function(name).graph)
            if within and not operation.type.endswith("PartitionedCall"):
                raise ValueError(
                    f"{operation.name} is a {operation.type} around"
                    f" {', '.join(within)}: how often that runs is not in the graph."
                )
            counts += within
    return counts


def _called(operation):
    attributes = operation.node_def.attr.values()
    return [attr.func.name for attr in attributes if attr.HasField("func")]


def _shape(operation, tensor):
    if not tensor.shape.is_fully_defined():
        raise ValueError(
            f"{operation.name} has the tensor {tensor.name} of shape {tensor.shape}:"
            " trace the function with shapes that are known, the batch's too."
        )
    return tuple(tensor.shape)


def _output_size(operation):
    return math.prod(_shape(operation, operation.outputs[0]))


def _convolution(operation):
    # A kernel [..., channels of its group, filters].
    kernel = _shape(operation, operation.inputs[1])
    return _output_size(operation) * math.prod(kernel[:-1])


def _depthwise(operation):
    height, width, _, _ = _shape(operation, operation.inputs[1])
    return _output_size(operation) * height * width


def _product(operation, transposed):
    first = _shape(operation, operation.inputs[0])
    return _output_size(operation) * first[-2 if operation.get_attr(transposed) else -1]


def _einsum(operation):
    """Counts one for each combination of all labels' values."""
    if len(operation.inputs) < 2:
        return 0
    of_inputs = operation.get_attr("equation").decode().split("->")[0].split(",")
    sizes = {}
    for labels, tensor in zip(of_inputs, operation.inputs, strict=True):
        shape = _shape(operation, tensor)
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
    "MatMul": lambda operation: _product(operation, "transpose_a"),
    "BatchMatMulV2": lambda operation: _product(operation, "adj_x"),
    "Einsum": _einsum,
}
