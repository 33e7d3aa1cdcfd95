"""Gives each output of a graph an operation of its own, for GPU delegates.

Delegates reuse the memory of tensors within a graph, and some forget that a tensor is
an output as well (`delegate_rules`). The way out that TFLite's developers name is an
operation that does next to nothing (github.com/tensorflow/tensorflow/issues/59311); it
is a product with one here, which changes no number.
"""

import collections

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from grw_tf.export.delegate_rules import GraphView
from grw_tf.export.flatbuffer import read_model, write_model
from grw_tf.export.graph_editing import add_constant, add_copy, make_operation


def separate_outputs(content: bytes) -> bytes:
    """Returns a model whose outputs break no rule of outputs.

    Outputs of other types than float32 stay as they are.
    """
    model = read_model(content)
    for signature in model.signatureDefs:
        _separate(model, signature)
    return write_model(model)


def _separate(model, signature):
    graph = model.subgraphs[signature.subgraphIndex]
    view = GraphView(model, graph)
    one = add_constant(model, graph, b"one", np.ones((), np.float32))
    outputs = [int(index) for index in graph.outputs]
    counts = collections.Counter(outputs)
    for entry in signature.outputs:
        index = entry.tensorIndex
        wrong = counts[index] > 1 or any(view.output_rules(index))
        if wrong and graph.tensors[index].type == schema.TensorType.FLOAT32:
            own = add_copy(graph, index, b"/output")
            product = make_operation(
                model, "MUL", [index, one], own, options=schema.MulOptionsT()
            )
            graph.operators.append(product)
            outputs[outputs.index(index)] = entry.tensorIndex = own
    graph.outputs = outputs
