"""A model's graph, rewritten with operations that have integer kernels alone."""

from collections.abc import Iterator

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from grw_tf.export.flatbuffer import read_model, write_model
from grw_tf.export.graph_editing import add_constant, add_copy, make_operation
from grw_tf.export.operations import kind_of

MOST_FRAMES = 1024
"""Number of frames from which running means forget at a constant rate.

Until then 1/n comes from a table. In 16 bits a mean moves by whole steps, and further
on 1/n of most differences would be less than one.
"""

SAME_SCALE = ("AVERAGE_POOL_2D", "CONCATENATION", "RESHAPE", "SPLIT", "STRIDED_SLICE")
"""Operations that move numbers without rescaling them."""

WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
"""Operations with weights and a bias."""

_INTEGER_KINDS = (
    *SAME_SCALE,
    *WEIGHTED,
    *("ADD", "GATHER", "LOGISTIC", "MEAN", "MUL", "SUB"),
)
_FLOAT = schema.TensorType.FLOAT32


def integer_graph(content: bytes) -> bytes:
    """Rewrites a float32 stream so that all its operations have 16-bit kernels.

    It gives the same numbers, up to MOST_FRAMES frames:

    - `HARD_SWISH`, which has no 16-bit kernel, becomes x relu6(x + 3) / 6.
    - A division by a count of frames becomes a product with an entry of a table.

    Raises:
        ValueError: If an operation has no integer form.
    """
    model = read_model(content)
    for graph in model.subgraphs:
        _Rewriter(model, graph).rewrite()
        for operation in float_operations(graph):
            kind = kind_of(model, operation)
            if kind not in _INTEGER_KINDS and not _reads_bytes(graph, operation):
                raise ValueError(
                    f"{kind} at {place_of(graph, operation)} has no 16-bit kernel, so"
                    " this model cannot compute in integers alone: MoViNets without"
                    " positional encoding and MobileNets can, with the official or the"
                    " mean head."
                )
    return write_model(model)


def float_operations(graph: schema.SubGraphT) -> Iterator[schema.OperatorT]:
    """Yields the operations that read or write float32."""
    for operation in graph.operators:
        indices = [*operation.inputs, *operation.outputs]
        if any(i >= 0 and graph.tensors[i].type == _FLOAT for i in indices):
            yield operation


def place_of(graph: schema.SubGraphT, operation: schema.OperatorT) -> str:
    """Returns the name of an operation's first output."""
    return graph.tensors[operation.outputs[0]].name.decode()


def _reads_bytes(graph, operation):
    """Returns whether an operation turns the frames' bytes into floats."""
    return graph.tensors[operation.inputs[0]].type == schema.TensorType.UINT8


class _Rewriter:
    """Rewrites one graph."""

    def __init__(self, model, graph):
        self._model = model
        self._graph = graph
        self._makers = {o: op for op in graph.operators for o in op.outputs}
        self._constants = {}

    def rewrite(self):
        rewritten = []
        for operation in self._graph.operators:
            kind = kind_of(self._model, operation)
            if kind == "HARD_SWISH":
                rewritten += self._hard_swish(operation)
            elif kind == "DIV" and self._count(operation) is not None:
                rewritten += self._share(operation)
            else:
                if kind in ("ADD", "SUB"):
                    # Scales that are powers of 2 are the default.
                    operation.builtinOptions.potScaleInt16 = False
                rewritten.append(operation)
        self._graph.operators = rewritten
        self._drop_unused()

    def _hard_swish(self, operation):
        x, output = operation.inputs[0], operation.outputs[0]
        three = self._constant(b"three", np.float32(3))
        sixth = self._constant(b"sixth", np.float32(1 / 6))
        raised = add_copy(self._graph, x, b"/relu6")
        gate = add_copy(self._graph, x, b"/gate")
        add = schema.AddOptionsT()
        add.fusedActivationFunction = schema.ActivationFunctionType.RELU6
        add.potScaleInt16 = False
        yield self._make("ADD", [x, three], raised, add)
        yield self._make("MUL", [raised, sixth], gate)
        yield self._make("MUL", [x, gate], output)

    def _share(self, operation):
        """Divides by a count: the quotients of a constant are a table's entries."""
        dividend, output = operation.inputs[0], operation.outputs[0]
        value = self._value(dividend)
        count = self._count(operation)
        limited = add_copy(self._graph, count, b"/limited")
        most = self._constant(b"most_frames", np.int32(MOST_FRAMES))
        yield self._make("MINIMUM", [count, most], limited)
        # No frame is the first after 0 others.
        counts = np.maximum(np.arange(MOST_FRAMES + 1), 1)
        name = b"shares_of_" + str(dividend if value is not None else 1).encode()
        one = 1.0 if value is None else value
        table = self._constant(name, (one / counts).astype(np.float32))
        shares = schema.GatherOptionsT()
        shares.axis = 0
        if value is not None:
            yield self._make("GATHER", [table, limited], output, shares)
            return
        share = add_copy(self._graph, operation.inputs[1], b"/share")
        yield self._make("GATHER", [table, limited], share, shares)
        yield self._make("MUL", [dividend, share], output)

    def _make(self, kind, inputs, output, options=None):
        options = options or _OPTIONS[kind]()
        return make_operation(self._model, kind, inputs, output, options=options)

    def _constant(self, name, value):
        if name not in self._constants:
            made = add_constant(self._model, self._graph, name, np.asarray(value))
            self._constants[name] = made
        return self._constants[name]

    def _count(self, division):
        """Returns the index of the whole numbers that are divided by, or None."""
        cast = self._makers.get(division.inputs[1])
        if cast is None or kind_of(self._model, cast) != "CAST":
            return None
        source = cast.inputs[0]
        is_count = self._graph.tensors[source].type == schema.TensorType.INT32
        return source if is_count else None

    def _value(self, index):
        """Returns a constant of one number, or None."""
        data = self._model.buffers[self._graph.tensors[index].buffer].data
        if data is None or len(data) != np.dtype(np.float32).itemsize:
            return None
        return float(np.frombuffer(data.tobytes(), np.float32)[0])

    def _drop_unused(self):
        graph, kept = self._graph, []
        needed = set(graph.outputs)
        for operation in reversed(graph.operators):
            if needed.intersection(operation.outputs):
                needed.update(operation.inputs)
                kept.append(operation)
        graph.operators = kept[::-1]


_OPTIONS = {"MINIMUM": schema.MaximumMinimumOptionsT, "MUL": schema.MulOptionsT}
