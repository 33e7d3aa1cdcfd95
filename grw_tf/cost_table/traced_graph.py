"""Reads traced functions: the functions that operations call, and tensors' shapes."""

from collections.abc import Mapping

import tensorflow as tf

Shapes = Mapping[str, tf.TensorShape]
"""Shapes of tensors by name."""


def called_functions(operation: tf.Operation) -> list[str]:
    """Returns the names of the functions that an operation calls, or may call."""
    attributes = operation.node_def.attr.values()
    return [attr.func.name for attr in attributes if attr.HasField("func")]


def is_call(operation: tf.Operation) -> bool:
    """Says whether an operation always calls a function exactly once."""
    return operation.type.endswith("PartitionedCall")


def known_within(
    called: tf.Graph, operation: tf.Operation, known: Shapes
) -> dict[str, tf.TensorShape]:
    """Returns the shapes that a call gives to tensors of a graph, by their names.

    A graph may serve calls of several shapes, as Keras' grouped convolutions do.

    Args:
        called: The graph of the called function.
        operation: The call.
        known: The same shapes for the graph that has the call.
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


def shape_of(
    operation: tf.Operation, tensor: tf.Tensor, known: Shapes
) -> tuple[int, ...]:
    """Returns the shape of an input or output of an operation.

    `known` has the shapes that the graph's call gives, from `known_within`.

    Raises:
        ValueError: If a dimension is unknown.
    """
    shape = _merged(tensor, known)
    if not shape.is_fully_defined():
        raise ValueError(
            f"{operation.name} has the tensor {tensor.name} of shape {shape}: trace the"
            " function with known shapes, including the batch."
        )
    return tuple(shape)


def _merged(tensor, known):
    return tensor.shape.merge_with(known.get(tensor.name))
