"""Reads TFLite models as objects to edit, and writes them."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils


def read_model(content: bytes) -> schema.ModelT:
    """Returns a model as an object, wherever its weights are stored."""
    model = flatbuffer_utils.read_model_from_bytearray(content)
    for buffer in model.buffers:
        if buffer.data is not None:
            # Other types are written byte by byte, in half a minute.
            buffer.data = np.frombuffer(buffer.data, np.uint8)
    return model


def write_model(model: schema.ModelT) -> bytes:
    """Returns the bytes of a model, with its weights inside."""
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def graph_index(model: schema.ModelT, name: str) -> int:
    """Returns the index of a signature's graph."""
    (index,) = (
        signature.subgraphIndex
        for signature in model.signatureDefs
        if signature.signatureKey == name.encode()
    )
    return index
