"""Counts the operations of a TFLite model."""

import collections

from ai_edge_litert import schema_py_generated as schema

_NAMES = {
    value: name
    for name, value in vars(schema.BuiltinOperator).items()
    if not name.startswith("_")
}


def count_operations(content: bytes) -> dict[str, int]:
    """Returns the number of operations of each kind, the most frequent first.

    A custom operation has its own name.
    """
    model = schema.ModelT.InitFromPackedBuf(content)
    codes = [
        code.customCode.decode() if code.customCode else _NAMES[code.builtinCode]
        for code in model.operatorCodes
    ]
    counts = collections.Counter(
        codes[operator.opcodeIndex]
        for graph in model.subgraphs
        for operator in graph.operators
    )
    return dict(counts.most_common())
