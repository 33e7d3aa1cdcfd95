"""Tensors and operations added to the graph of a TFLite model."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema


def add_copy(graph: schema.SubGraphT, index: int, suffix: bytes) -> int:
    """Adds a tensor like another one, computed by an operation; returns its index."""
    tensor = copy.copy(graph.tensors[index])
    tensor.name += suffix
    # The empty one: values are computed.
    tensor.buffer = 0
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def add_constant(
    model: schema.ModelT, graph: schema.SubGraphT, name: bytes, value: np.ndarray
) -> int:
    """Adds a constant of float32 or int32; returns its tensor's index."""
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(value.tobytes(), np.uint8)
    model.buffers.append(buffer)
    tensor = schema.TensorT()
    tensor.name, tensor.shape = name, list(value.shape)
    types = {"float32": schema.TensorType.FLOAT32, "int32": schema.TensorType.INT32}
    tensor.type = types[value.dtype.name]
    tensor.buffer = len(model.buffers) - 1
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def make_operation(
    model: schema.ModelT,
    name: str,
    inputs: Sequence[int],
    output: int,
    version: int = 1,
    options: Any = None,
) -> schema.OperatorT:
    """Returns an operation, which is yet to be put into a graph.

    Args:
        model: The model, which lists the kinds of its operations.
        name: Its kind, as "MUL".
        inputs: Indices of its input tensors.
        output: Index of its output tensor.
        version: Of its kind, if the model does not have it already.
        options: The schema's object of its options, as `schema.MulOptionsT()`.
    """
    builtin = getattr(schema.BuiltinOperator, name)
    codes = model.operatorCodes
    known = [i for i, code in enumerate(codes) if code.builtinCode == builtin]
    if not known:
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = builtin
        code.version = version
        codes.append(code)
        known = [len(codes) - 1]
    operation = schema.OperatorT()
    operation.opcodeIndex = known[0]
    operation.inputs, operation.outputs = list(inputs), [output]
    if options is not None:
        kind = type(options).__name__.removesuffix("T")
        operation.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        operation.builtinOptions = options
    return operation
