"""Stores states in 8 bits around a graph that computes with them in float32."""

from ai_edge_litert import schema_py_generated as schema

from grw_tf.export.flatbuffer import read_model, write_model
from grw_tf.export.graph_editing import add_copy, make_operation

_STEPS = 255
_LOWEST = -128


def quantize_states(content: bytes, ranges: dict) -> bytes:
    """Stores states in int8, in all signatures.

    LiteRT's quantizer treats all inputs of a graph alike, so this is done here: with a
    DEQUANTIZE before the first use of a state and a QUANTIZE after the last, both of
    which XNNPACK has. Zero stays exactly zero. `ranges` are the (lowest,
    highest) values of the states to store in int8, by name.
    """
    if not ranges:
        return content
    model = read_model(content)
    for signature in model.signatureDefs:
        editor = _Editor(model, signature)
        for name, (low, high) in ranges.items():
            editor.quantize(name.encode(), *_parameters(low, high))
        editor.finish()
    return write_model(model)


def _parameters(low, high):
    """Returns the scale, and the zero point."""
    low, high = min(float(low), 0.0), max(float(high), 0.0)
    scale = (high - low) / _STEPS or 1.0
    return scale, round(_LOWEST - low / scale)


class _Editor:
    """Edits the graph of one signature."""

    def __init__(self, model, signature):
        self._model = model
        self._signature = signature
        self._graph = model.subgraphs[signature.subgraphIndex]
        self._last = []

    def quantize(self, name, scale, zero_point):
        for entry in self._signature.inputs:
            if entry.name == name:
                self._quantize_input(entry.tensorIndex, scale, zero_point)
        for entry in self._signature.outputs:
            if entry.name == name:
                self._quantize_output(entry, scale, zero_point)

    def finish(self):
        self._graph.operators += self._last

    def _quantize_input(self, index, scale, zero_point):
        operators = self._graph.operators
        users = [o for o in operators if index in o.inputs]
        floats = add_copy(self._graph, index, b"/float32")
        _store_in_int8(self._graph.tensors[index], scale, zero_point)
        for user in users:
            user.inputs = [floats if i == index else i for i in user.inputs]
        if users:
            # Not earlier: XNNPACK only joins consecutive operations into one part.
            place = next(i for i, o in enumerate(operators) if o is users[0])
            dequantize = make_operation(self._model, "DEQUANTIZE", [index], floats, 2)
            operators.insert(place, dequantize)

    def _quantize_output(self, entry, scale, zero_point):
        index = entry.tensorIndex
        if self._graph.tensors[index].type == schema.TensorType.INT8:
            # The output is the unchanged input.
            return
        stored = add_copy(self._graph, index, b"/int8")
        _store_in_int8(self._graph.tensors[stored], scale, zero_point)
        self._last.append(make_operation(self._model, "QUANTIZE", [index], stored))
        outputs = list(self._graph.outputs)
        outputs[outputs.index(index)] = stored
        self._graph.outputs = outputs
        entry.tensorIndex = stored


def _store_in_int8(tensor, scale, zero_point):
    tensor.type = schema.TensorType.INT8
    tensor.quantization = schema.QuantizationParametersT()
    tensor.quantization.scale = [scale]
    tensor.quantization.zeroPoint = [zero_point]
