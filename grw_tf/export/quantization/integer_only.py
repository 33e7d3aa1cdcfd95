"""Streams that compute in integers alone, for accelerators without floats.

Activations and states have 16 bits, with zero at 0, and weights 8, by channel
("16x8"). In 8 bits, the expanded tensors of MoViNets lose too much.
"""

from collections.abc import Iterable

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from grw_tf.export.flatbuffer import graph_index, read_model, write_model
from grw_tf.export.graph_editing import add_copy, make_operation
from grw_tf.export.operations import kind_of
from grw_tf.export.quantization.calibration import Calibration, calibrate
from grw_tf.export.quantization.integer_graph import (
    CARRIED,
    FINE,
    REST,
    SAME_SCALE,
    WEIGHTED,
    float_operations,
    integer_graph,
    place_of,
)
from grw_tf.export.quantization.operation_recipes import int16_operations
from grw_tf.streaming.signature_names import IMAGE, LOGITS, STEP

# Room for what calibration did not see, for one of 16 bits.
_HEADROOM = 2.0
_HIGHEST = 2**15 - 1
_HIGHEST_WEIGHT = 127
# Accelerators and LiteRT's quantizer keep biases in 32 bits; half is left for the sum.
_HIGHEST_BIAS = 2**30
_WIDEST_STEP = 2**14
_ENDS = ("QUANTIZE", "DEQUANTIZE")


def quantize_integer_only(
    content: bytes, clips: Iterable[np.ndarray], threads: int = 1
) -> tuple[bytes, Calibration]:
    """Lets a stream compute in integers alone, but for the ends.

    Bytes of frames are taken as they are, and the logits are dequantized; an image in
    float32 is quantized.

    Args:
        content: A float32 TFLite model.
        clips: As for `calibrate`.
        threads: Number of threads to calibrate with.

    Returns:
        The quantized model, and what calibration found.

    Raises:
        ValueError: As `integer_graph` and `calibrate`, or if activations are too large.
    """
    content = integer_graph(content)
    ranges = _Ranges(content)
    calibration = calibrate(content, clips, ranges.names, threads)
    quantized = int16_operations(content, ranges.of_all(calibration.ranges))
    _check_sums(quantized)
    quantized = _with_ends(quantized)
    left = [name for name in operations_in_float(quantized) if name not in _ENDS]
    if left:
        raise ValueError(f"{left[0]} cannot be quantized by this ai-edge-quantizer.")
    return quantized, calibration


def operations_in_float(content: bytes) -> list[str]:
    """Returns the operations of a model's steps that read or write float32, in words.

    Those that quantize the image and dequantize the logits are named by their kind
    alone, others by kind and place.
    """
    model = read_model(content)
    graph = model.subgraphs[graph_index(model, STEP)]
    found = []
    for operation in float_operations(graph):
        kind = kind_of(model, operation)
        at_end = kind in _ENDS and (
            operation.inputs[0] in graph.inputs or operation.outputs[0] in graph.outputs
        )
        found.append(kind if at_end else f"{kind} at {place_of(graph, operation)}")
    return found


def _check_sums(content):
    """Raises a ValueError where LiteRT would end the process.

    It takes sums of numbers that are at most 2^14 steps of the sum's scale each.
    """
    model = read_model(content)
    for graph in model.subgraphs:
        for operation in graph.operators:
            if kind_of(model, operation) not in ("ADD", "SUB"):
                continue
            output, *inputs = (
                graph.tensors[i] for i in [*operation.outputs, *operation.inputs]
            )
            if output.type != schema.TensorType.INT16:
                continue
            widest = max(tensor.quantization.scale[0] for tensor in inputs)
            if widest >= _WIDEST_STEP * output.quantization.scale[0]:
                raise ValueError(
                    f"The activations at {place_of(graph, operation)} reach"
                    f" {widest * _HIGHEST / _HEADROOM:.3g}, too much to be added in 16"
                    " bits: the weights are broken or were never trained."
                )


class _Ranges:
    """The ranges that decide a graph's scales, by tensor."""

    def __init__(self, content):
        self._model = read_model(content)
        self._signature = next(
            s for s in self._model.signatureDefs if s.signatureKey == STEP.encode()
        )
        self._graph = self._model.subgraphs[self._signature.subgraphIndex]
        computed = {o for op in self._graph.operators for o in op.outputs}
        indices = computed | set(self._graph.inputs)
        self.names = [self._name(i) for i in sorted(indices) if self._is_float(i)]

    def of_all(self, found):
        """Returns {name: (lowest, highest)} of activations and of weights."""
        highest = {
            name: _HEADROOM * max(abs(low.item()), abs(high.item()))
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
                highest[self._name(output)] = float(_HIGHEST)
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
            source, kernel, bias = operation.inputs
            weights = self._constant(kernel)
            channels = weights.ndim - 1 if kind == "DEPTHWISE_CONV_2D" else 0
            others = tuple(i for i in range(weights.ndim) if i != channels)
            widest = np.abs(weights).max(others, keepdims=True)
            if bias >= 0:
                scale = highest[self._name(source)] / _HIGHEST
                biases = np.abs(self._constant(bias)).reshape(widest.shape)
                needed = biases * _HIGHEST_WEIGHT / (scale * _HIGHEST_BIAS)
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


def _with_ends(content):
    """Takes the image as the float32 model does, and gives logits in float32."""
    model = read_model(content)
    signature = next(s for s in model.signatureDefs if s.signatureKey == STEP.encode())
    graph = model.subgraphs[signature.subgraphIndex]
    for entry in signature.inputs:
        if entry.name == IMAGE.encode():
            _take_image(model, graph, entry)
    for entry in signature.outputs:
        if entry.name == LOGITS.encode():
            quantized = entry.tensorIndex
            entry.tensorIndex = _add_float(graph, quantized)
            graph.operators.append(
                make_operation(model, "DEQUANTIZE", [quantized], entry.tensorIndex, 3)
            )
            graph.outputs = [
                entry.tensorIndex if i == quantized else i for i in graph.outputs
            ]
    return write_model(model)


def _take_image(model, graph, entry):
    index = entry.tensorIndex
    image = graph.tensors[index]
    if image.type != schema.TensorType.UINT8:
        entry.tensorIndex = _add_float(graph, index)
        quantize = make_operation(model, "QUANTIZE", [entry.tensorIndex], index, 3)
        graph.operators.insert(0, quantize)
        graph.inputs = [entry.tensorIndex if i == index else i for i in graph.inputs]
        return
    (cast,) = (op for op in graph.operators if index in op.inputs)
    (quantize,) = (op for op in graph.operators if cast.outputs[0] in op.inputs)
    # From bytes to 16 bits at once; without options, types are those of the tensors.
    cast.outputs = quantize.outputs
    cast.builtinOptions, cast.builtinOptionsType = None, 0
    graph.operators.remove(quantize)
    image.quantization = schema.QuantizationParametersT()
    image.quantization.scale, image.quantization.zeroPoint = [1.0], [0]


def _add_float(graph, index):
    """Adds a tensor like a quantized one, in float32; returns its index."""
    added = add_copy(graph, index, b"/float32")
    graph.tensors[added].type = schema.TensorType.FLOAT32
    graph.tensors[added].quantization = None
    return added
