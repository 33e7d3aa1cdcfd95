"""The ranges of tensors of a graph in 16 bits."""

from collections.abc import Mapping

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from grw_tf.export.flatbuffer import read_model
from grw_tf.export.operations import kind_of
from grw_tf.export.quantization.integer_graph import (
    CARRIED,
    FINE,
    REST,
    SAME_SCALE,
    WEIGHTED,
)
from grw_tf.streaming.signature_names import STEP

HIGHEST = 2**15 - 1
"""The highest number in 16 bits."""

HEADROOM = 2.0
"""Room for what calibration did not see, for one of 16 bits."""

_HIGHEST_WEIGHT = 127
# Accelerators and LiteRT's quantizer keep biases in 32 bits; half is left for the sum.
_HIGHEST_BIAS = 2**30

Range = tuple[np.ndarray, np.ndarray]


class IntegerRanges:
    """The ranges that decide the scales of a graph in 16 bits.

    Args:
        content: A model of `integer_graph`.

    Attributes:
        names: The tensors whose ranges must be found.
    """

    def __init__(self, content: bytes) -> None:
        self._model = read_model(content)
        self._signature = next(
            s for s in self._model.signatureDefs if s.signatureKey == STEP.encode()
        )
        self._graph = self._model.subgraphs[self._signature.subgraphIndex]
        computed = {o for op in self._graph.operators for o in op.outputs}
        indices = computed | set(self._graph.inputs)
        self.names = [self._name(i) for i in sorted(indices) if self._is_float(i)]

    def of_all(self, found: Mapping[str, Range]) -> dict[str, Range]:
        """Returns the ranges of activations, wider than were found, and of weights.

        Args:
            found: {name: (lowest, highest)} of `names`, as arrays of the tensor's rank.
        """
        highest = {
            # Any range will do for what is always 0.
            name: HEADROOM * max(abs(low.item()), abs(high.item())) or 1.0
            for name, (low, high) in found.items()
        }
        self._fix(highest)
        for group in self._groups():
            widest = max(highest[name] for name in group)
            highest |= dict.fromkeys(group, widest)
        self._fix_rests(highest)
        ranges = {
            name: tuple(np.full_like(found[name][0], sign * value) for sign in (-1, 1))
            for name, value in highest.items()
        }
        return ranges | self._of_weights(highest)

    def _fix(self, highest):
        """Sets the ranges that are known."""
        for operation in self._graph.operators:
            kind, output = kind_of(self._model, operation), operation.outputs[0]
            if kind == "CAST" and self._is_float(output):
                # Bytes then stay as they are.
                highest[self._name(output)] = float(HIGHEST)
            elif kind == "GATHER":
                table = self._constant(operation.inputs[0])
                highest[self._name(output)] = float(np.abs(table).max())

    def _fix_rests(self, highest):
        """Sets the ranges of rests and of what they carry by those of their means."""
        for name in highest:
            mean, carried, _ = name.partition(CARRIED)
            if carried:
                highest[name] = highest[mean]
            mean, rest, _ = name.partition(REST)
            if rest:
                highest[name] = highest[mean] / FINE

    def _groups(self):
        """Yields names of tensors of one scale.

        A state that comes back in another scale would be rounded at each step. (Where
        an output of the graph is rescaled for another operation, LiteRT 2.3 also
        overwrites the output.)
        """
        groups: list[set[str]] = []
        after = {entry.name: entry.tensorIndex for entry in self._signature.outputs}
        pairs = [
            (entry.tensorIndex, after[entry.name])
            for entry in self._signature.inputs
            if entry.name in after
        ]
        for operation in self._graph.operators:
            if kind_of(self._model, operation) in SAME_SCALE:
                pairs.append((*operation.inputs, *operation.outputs))
        names = set(self.names)
        for indices in pairs:
            group = names.intersection(self._name(i) for i in indices)
            joined = [other for other in groups if other & group]
            groups = [other for other in groups if not other & group]
            groups.append(group.union(*joined))
        return (group for group in groups if group)

    def _of_weights(self, highest):
        """Returns ranges of weights by channel, so wide that biases fit in 32 bits."""
        ranges = {}
        for operation in self._graph.operators:
            kind = kind_of(self._model, operation)
            if kind not in WEIGHTED:
                continue
            source, kernel, *biases = operation.inputs
            weights = self._constant(kernel)
            channels = weights.ndim - 1 if kind == "DEPTHWISE_CONV_2D" else 0
            others = tuple(i for i in range(weights.ndim) if i != channels)
            widest = np.abs(weights).max(others, keepdims=True)
            scale = highest[self._name(source)] / HIGHEST
            # -1 stands for none.
            for index in (i for i in biases if i >= 0):
                bias = np.abs(self._constant(index)).reshape(widest.shape)
                needed = bias * _HIGHEST_WEIGHT / (scale * _HIGHEST_BIAS)
                widest = np.maximum(widest, needed)
            name = self._name(kernel)
            if name in ranges:
                widest = np.maximum(widest, ranges[name][1])
            ranges[name] = -widest, widest
        return ranges

    def _constant(self, index):
        tensor = self._graph.tensors[index]
        data = self._model.buffers[tensor.buffer].data
        return np.frombuffer(data.tobytes(), np.float32).reshape(tensor.shape)

    def _is_float(self, index):
        return self._graph.tensors[index].type == schema.TensorType.FLOAT32

    def _name(self, index):
        return self._graph.tensors[index].name.decode()
