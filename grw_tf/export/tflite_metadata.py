"""TFLite metadata, for readers that look for a model's inputs, outputs and labels.

A buffer `TFLITE_METADATA` in the model holds a `ModelMetadata` of the public schema
(tflite-support, metadata_schema.fbs, identifier M001), which names the label file in
the zip archive after the model. No package that this project needs has the schema, so
the few tables that are used are written here by their field numbers.
"""

from collections.abc import Sequence

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from grw_tf.export.bundle import LABELS
from grw_tf.export.flatbuffer import read_model, write_model
from grw_tf.streaming.signature_names import IMAGE, LOGITS

NAME = "TFLITE_METADATA"
IDENTIFIER = b"M001"

# The schema's enumerations.
_TENSOR_AXIS_LABELS = 2
_RGB = 1
_FEATURE_PROPERTIES, _IMAGE_PROPERTIES = 1, 2
_NORMALIZATION_OPTIONS = 1
_OLDEST_PARSER = "1.0.0"
_LARGEST_BYTE = 255.0


def add_metadata(content: bytes, name: str) -> bytes:
    """Returns a model with metadata that describes all inputs and outputs.

    Args:
        content: A TFLite model of this project.
        name: The model's name.
    """
    model = read_model(content)
    entry = schema.MetadataT()
    entry.name, entry.buffer = NAME.encode(), len(model.buffers)
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(_metadata(model, name), np.uint8)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or ()), entry]
    return write_model(model)


def _metadata(model, name):
    builder = flatbuffers.Builder()
    signatures = {s.subgraphIndex: s for s in model.signatureDefs}
    graphs = [
        _subgraph(builder, graph, signatures[index])
        for index, graph in enumerate(model.subgraphs)
    ]
    root = _table(
        builder,
        8,
        {0: builder.CreateString(name), 3: _vector(builder, graphs)}
        | {7: builder.CreateString(_OLDEST_PARSER)},
    )
    builder.Finish(root, file_identifier=IDENTIFIER)
    return bytes(builder.Output())


def _subgraph(builder, graph, signature):
    """Writes `SubGraphMetadata`, with an entry a tensor in the graph's order."""
    inputs = _tensors(builder, graph, graph.inputs, signature.inputs)
    outputs = _tensors(builder, graph, graph.outputs, signature.outputs)
    name = builder.CreateString(signature.signatureKey.decode())
    return _table(builder, 7, {0: name, 2: inputs, 3: outputs})


def _tensors(builder, graph, indices, entries):
    names = {entry.tensorIndex: entry.name.decode() for entry in entries}
    return _vector(
        builder,
        [
            _tensor(builder, names[int(index)], graph.tensors[int(index)])
            for index in indices
        ],
    )


def _tensor(builder, name, tensor):
    """Writes `TensorMetadata`."""
    fields = {0: builder.CreateString(name)}
    if name == IMAGE:
        fields[3] = _content(builder, _IMAGE_PROPERTIES, {0: ("Byte", _RGB)})
        # Of bytes as cameras give them to what the model takes.
        is_float = tensor.type == schema.TensorType.FLOAT32
        std = _LARGEST_BYTE if is_float else 1.0
        fields[4] = _vector(builder, [_normalization(builder, std)])
    else:
        fields[3] = _content(builder, _FEATURE_PROPERTIES, {})
    if name == LOGITS:
        file = {0: builder.CreateString(LABELS), 2: ("Byte", _TENSOR_AXIS_LABELS)}
        fields[6] = _vector(builder, [_table(builder, 4, file)])
    return _table(builder, 7, fields)


def _content(builder, kind, fields):
    properties = _table(builder, 2, fields)
    return _table(builder, 3, {0: ("Uint8", kind), 1: properties})


def _normalization(builder, std):
    """Writes a `ProcessUnit` of (x - 0) / std."""
    mean, std = (
        builder.CreateNumpyVector(np.array([value], np.float32)) for value in (0, std)
    )
    options = _table(builder, 2, {0: mean, 1: std})
    return _table(builder, 2, {0: ("Uint8", _NORMALIZATION_OPTIONS), 1: options})


def _table(builder, size, fields):
    """Writes a table of `size` fields: offsets, or pairs of (type, value)."""
    builder.StartObject(size)
    for slot, value in fields.items():
        if isinstance(value, tuple):
            kind, number = value
            getattr(builder, f"Prepend{kind}Slot")(slot, number, 0)
        else:
            builder.PrependUOffsetTRelativeSlot(slot, value, 0)
    return builder.EndObject()


def _vector(builder, offsets: Sequence[int]):
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()
