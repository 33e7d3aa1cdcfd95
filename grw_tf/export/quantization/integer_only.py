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
    float_operations,
    integer_graph,
    place_of,
)
from grw_tf.export.quantization.integer_ranges import HEADROOM, HIGHEST, IntegerRanges
from grw_tf.export.quantization.operation_recipes import int16_operations
from grw_tf.streaming.signature_names import IMAGE, LOGITS, STEP

# LiteRT ends the process where a sum's steps are finer by this than what it adds.
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
    ranges = IntegerRanges(content)
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
    """Raises a ValueError where LiteRT would end the process."""
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
                    f" {widest * HIGHEST / HEADROOM:.3g}, too much to be added in 16"
                    " bits: the weights are broken or were never trained."
                )


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
