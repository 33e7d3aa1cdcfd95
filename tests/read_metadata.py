"""Reads TFLite metadata by the field numbers of the public schema, M001."""

from flatbuffers import encode
from flatbuffers import number_types as types
from flatbuffers.table import Table

_CONTENTS = {0: "none", 1: "feature", 2: "image"}
_FILE_TYPES = {0: "unknown", 2: "axis labels", 3: "value labels"}


def read_metadata(model):
    """Returns what the metadata of a model, as an object, says.

    Args:
        model: A `ModelT`.
    """
    (entry,) = (e for e in model.metadata if e.name == b"TFLITE_METADATA")
    content = bytes(model.buffers[entry.buffer].data)
    assert content[4:8] == b"M001"
    root = Table(content, encode.Get(types.UOffsetTFlags.packer_type, content, 0))
    return {
        "name": _string(root, 0),
        "min_parser_version": _string(root, 7),
        "subgraphs": [
            {
                "name": _string(graph, 0),
                "inputs": [_tensor(tensor) for tensor in _tables(graph, 2)],
                "outputs": [_tensor(tensor) for tensor in _tables(graph, 3)],
            }
            for graph in _tables(root, 3)
        ],
    }


def _tensor(table):
    content = _table(table, 3)
    found = {"name": _string(table, 0), "content": _CONTENTS[_number(content, 0)]}
    for unit in _tables(table, 4):
        # The only options that this project writes.
        assert _number(unit, 0) == 1
        options = _table(unit, 1)
        found |= {"mean": _floats(options, 0), "std": _floats(options, 1)}
    for file in _tables(table, 6):
        found |= {"file": _string(file, 0), "file_type": _FILE_TYPES[_number(file, 2)]}
    return found


def _offset(table, field):
    return table.Offset(4 + 2 * field)


def _string(table, field):
    offset = _offset(table, field)
    return table.String(table.Pos + offset).decode() if offset else None


def _number(table, field):
    offset = _offset(table, field)
    return table.Get(types.Uint8Flags, table.Pos + offset) if offset else 0


def _table(table, field):
    offset = _offset(table, field)
    return Table(table.Bytes, table.Indirect(table.Pos + offset))


def _tables(table, field):
    offset = _offset(table, field)
    if not offset:
        return []
    start = table.Vector(offset)
    return [
        Table(table.Bytes, table.Indirect(start + 4 * index))
        for index in range(table.VectorLen(offset))
    ]


def _floats(table, field):
    return table.GetVectorAsNumpy(types.Float32Flags, _offset(table, field)).tolist()
