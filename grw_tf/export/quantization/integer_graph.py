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

REST = "/mean_rest"
"""In the name of a tensor, after that of a mean, if it is FINE times finer."""

CARRIED = "/mean_carried"
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
      mean that is a state has another one beside it, whose name ends in `_rest`, for
      what is less than a step of the mean. In float32 it is always zero.

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
        # Counts of frames, by tensors of 1/n.
        self._shares = {}
        # (difference, count) by tensors of 1/n of a difference.
        self._moves = {}
        # Rests of means, by the means' tensors.
        self._rests = {}
        (self._signature,) = (
            signature
            for signature in model.signatureDefs
            if model.subgraphs[signature.subgraphIndex] is graph
        )

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
        # What a mean no longer needs is dropped in the end.
        if kind == "DIV" and self._count(others[0]) is not None:
            count = self._count(others[0])
            if self._value(first) == 1:
                self._shares[output] = count
            else:
                self._moves[output] = first, count
        elif kind == "MUL" and others[0] in self._shares:
            self._moves[output] = first, self._shares[others[0]]
        elif kind == "ADD" and others[0] in self._moves and self._is_mean(first):
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
        # No frame is the first after 0 others.
        counts = np.maximum(np.arange(MOST_FRAMES + 1), 1)
        early_shares = np.where(counts < FINE, 1 / counts, 0)[: FINE + 1]
        late_shares = np.where(counts < FINE, 0, 1 / counts)
        early = self._like(output, b"/early")
        moved = self._like(output, b"/moved")
        fine = self._like(output, f"{REST}_share".encode())
        collected = self._like(output, f"{REST}_sum".encode())
        carried = self._like(output, CARRIED.encode())
        rest_after = self._like(output, REST.encode())
        rest = self._rest(mean, output, rest_after)
        one = self._constant(b"one", np.float32(1))
        make_early, early_share = self._entry(count, b"early", early_shares)
        make_late, late_share = self._entry(count, b"late", late_shares)
        return [
            *make_early,
            *make_late,
            self._make("MUL", [difference, early_share], early),
            self._make("ADD", [mean, early], moved),
            self._make("MUL", [difference, late_share], fine),
            self._make("ADD", [rest, fine], collected),
            # Rounded to whole steps of the mean.
            self._make("MUL", [collected, one], carried),
            self._make("SUB", [collected, carried], rest_after),
            self._make("ADD", [moved, carried], output),
        ]

    def _entry(self, count, name, table):
        """Returns the operations that look up a count, if any, and the entry."""
        name += str(count).encode()
        if name in self._constants:
            return [], self._constants[name]
        last = self._constant(b"last_" + name, np.int32(len(table) - 1))
        limited = self._like(count, b"/limited_" + name)
        entry = self._constants[name] = self._like(count, b"/share_" + name)
        self._graph.tensors[entry].type = _FLOAT
        constant = self._constant(b"shares_" + name, table.astype(np.float32))
        return [
            self._make("MINIMUM", [count, last], limited),
            self._make("GATHER", [constant, limited], entry, axis=0),
        ], entry

    def _is_mean(self, index):
        return index in self._rests or index in self._graph.inputs

    def _rest(self, mean, output, after):
        """Returns a mean's rest, and takes note of that of the moved mean.

        A state's rest is a state, too.
        """
        graph, signature = self._graph, self._signature
        if mean not in self._rests:
            self._rests[mean] = self._like(mean, REST.encode())
            graph.inputs = [*graph.inputs, self._rests[mean]]
            signature.inputs += _rest_entries(signature.inputs, mean, self._rests[mean])
        self._rests[output] = after
        if output in graph.outputs:
            graph.outputs = [*graph.outputs, after]
            signature.outputs += _rest_entries(signature.outputs, output, after)
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


def _rest_entries(entries, state, rest):
    """Returns a signature's new entries on the rest of a state."""
    found = []
    for entry in entries:
        if entry.tensorIndex == state:
            added = schema.TensorMapT()
            added.name, added.tensorIndex = entry.name + b"_rest", rest
            found.append(added)
    return found


_OPTIONS = {
    "ADD": schema.AddOptionsT,
    "GATHER": schema.GatherOptionsT,
    "MINIMUM": schema.MaximumMinimumOptionsT,
    "MUL": schema.MulOptionsT,
    "SUB": schema.SubOptionsT,
}
