"""A model's graph, rewritten with operations that have integer kernels alone."""

from collections.abc import Iterator

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from grw_tf.export.flatbuffer import read_model, write_model
from grw_tf.export.graph_editing import add_constant, add_copy, make_operation
from grw_tf.export.operations import kind_of

MOST_FRAMES = 4096
"""Number of frames from which running means forget at a constant rate.

Until then 1/n comes from a table.
"""

FINE = 64
"""How many times finer the rests of means are; and the frame from which there are any.

A mean moves by 1/n of a difference, which in 16 bits would soon be less than a step.
From this frame on, what is less is collected.
"""

REST = "/rest"
"""In the name of a tensor, after that of a mean, if it is FINE times finer."""

CARRIED = "/carried"
"""The same for whole steps of the mean that its rest has collected."""

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
    - 1/n of a running mean comes from tables of the first and of later frames. Each
      mean has one more state, of the mean's name and REST, for what is less than a
      step of the mean. In float32 it is always zero.

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
        # Counts of frames, limited, by tensors of 1/n.
        self._shares = {}
        # (difference, count) by tensors of 1/n of a difference.
        self._moves = {}
        # Rests of means, by the means' tensors.
        self._rests = {}

    def rewrite(self):
        rewritten = []
        for operation in self._graph.operators:
            rewritten += self._rewritten(operation, kind_of(self._model, operation))
        self._graph.operators = rewritten
        self._drop_unused()

    def _rewritten(self, operation, kind):
        """Returns the operations in place of one."""
        first, *others = operation.inputs
        output = operation.outputs[0]
        if kind == "HARD_SWISH":
            return self._hard_swish(first, output)
        if kind == "DIV" and self._count(others[0]) is not None:
            count = self._count(others[0])
            if self._value(first) == 1:
                self._shares[output] = count
            else:
                self._moves[output] = first, count
            return []
        if kind == "MUL" and others[0] in self._shares:
            self._moves[output] = first, self._shares[others[0]]
            return []
        if kind == "ADD" and others[0] in self._moves:
            return self._mean(first, *self._moves[others[0]], output)
        if kind in ("ADD", "SUB"):
            # Scales that are powers of 2 are the default.
            operation.builtinOptions.potScaleInt16 = False
        return [operation]

    def _hard_swish(self, x, output):
        three = self._constant(b"three", np.float32(3))
        sixth = self._constant(b"sixth", np.float32(1 / 6))
        raised = self._like(x, b"/relu6")
        gate = self._like(x, b"/gate")
        relu6 = schema.ActivationFunctionType.RELU6
        return [
            self._make("ADD", [x, three], raised, fusedActivationFunction=relu6),
            self._make("MUL", [raised, sixth], gate),
            self._make("MUL", [x, gate], output),
        ]

    def _mean(self, mean, difference, count, output):
        """Moves a mean by 1/n of a difference."""
        counts = np.arange(MOST_FRAMES + 1)
        # No frame is the first after 0 others.
        shares = (1 / np.maximum(counts, 1)).astype(np.float32)
        early = self._like(output, b"/early")
        moved = self._like(output, b"/moved")
        fine = self._like(output, f"{REST}_share".encode())
        collected = self._like(output, f"{REST}_sum".encode())
        carried = self._like(output, CARRIED.encode())
        rest_after = self._like(output, REST.encode())
        rest = self._rest(mean, output, rest_after)
        one = self._constant(b"one", np.float32(1))
        operations, tables = [], []
        for name, table in (
            (b"early", np.where(counts < FINE, shares, 0)),
            (b"late", np.where(counts < FINE, 0, shares)),
        ):
            made, share = self._looked_up(count, name, table.astype(np.float32))
            operations += made
            tables.append(share)
        return [
            *operations,
            self._make("MUL", [difference, tables[0]], early),
            self._make("ADD", [mean, early], moved),
            self._make("MUL", [difference, tables[1]], fine),
            self._make("ADD", [rest, fine], collected),
            # Rounded to whole steps of the mean.
            self._make("MUL", [collected, one], carried),
            self._make("SUB", [collected, carried], rest_after),
            self._make("ADD", [moved, carried], output),
        ]

    def _looked_up(self, count, name, table):
        """Returns the operations, if any are missing, and the tensor of an entry."""
        name += str(count).encode()
        if name in self._constants:
            return [], self._constants[name]
        most = self._constant(b"most_frames", np.int32(MOST_FRAMES))
        limited = self._like(count, b"/limited_" + name)
        entry = self._like(count, b"/share_" + name)
        self._graph.tensors[entry].type = _FLOAT
        self._constants[name] = entry
        constant = self._constant(b"shares_" + name, table)
        return [
            self._make("MINIMUM", [count, most], limited),
            self._make("GATHER", [constant, limited], entry, axis=0),
        ], entry

    def _rest(self, mean, output, after):
        """Returns a mean's rest, and takes note of that of the moved mean.

        A state's rest is a state, too.
        """
        self._rests[output] = after
        for signature in self._model.signatureDefs:
            if self._model.subgraphs[signature.subgraphIndex] is self._graph:
                for entry in list(signature.outputs):
                    if entry.tensorIndex == output:
                        self._graph.outputs = [*self._graph.outputs, after]
                        signature.outputs.append(_entry(entry.name, after))
                for entry in list(signature.inputs):
                    if entry.tensorIndex == mean:
                        self._rests[mean] = self._like(mean, REST.encode())
                        inputs = [*self._graph.inputs, self._rests[mean]]
                        self._graph.inputs = inputs
                        signature.inputs.append(_entry(entry.name, self._rests[mean]))
        return self._rests[mean]

    def _like(self, index, suffix):
        return add_copy(self._graph, index, suffix)

    def _make(self, kind, inputs, output, **options):
        made = _OPTIONS[kind]()
        if hasattr(made, "potScaleInt16"):
            made.potScaleInt16 = False
        for name, value in options.items():
            setattr(made, name, value)
        return make_operation(self._model, kind, inputs, output, options=made)

    def _constant(self, name, value):
        if name not in self._constants:
            made = add_constant(self._model, self._graph, name, np.asarray(value))
            self._constants[name] = made
        return self._constants[name]

    def _count(self, index):
        """Returns the whole numbers that a tensor is a cast of, or None."""
        cast = self._makers.get(index)
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


def _entry(name, index):
    """Returns a signature's entry on the rest of a state."""
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name + REST.encode(), index
    return entry


_OPTIONS = {
    "ADD": schema.AddOptionsT,
    "GATHER": schema.GatherOptionsT,
    "MINIMUM": schema.MaximumMinimumOptionsT,
    "MUL": schema.MulOptionsT,
    "SUB": schema.SubOptionsT,
}
