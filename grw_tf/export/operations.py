"""The operations of a TFLite model, and how XNNPACK divides them."""

import collections
import dataclasses

from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from grw_tf.export.flatbuffer import graph_index, read_model, write_model
from grw_tf.streaming.litert import make_interpreter
from grw_tf.streaming.native_output import silenced
from grw_tf.streaming.signature_names import step_signature

_DELEGATE = "DELEGATE"


def count_operations(content: bytes) -> dict[str, int]:
    """Returns the number of operations of each kind, the most frequent first.

    A custom operation has its own name.
    """
    model = read_model(content)
    counts = collections.Counter(
        kind_of(model, operation)
        for graph in model.subgraphs
        for operation in graph.operators
    )
    return dict(counts.most_common())


def kind_of(model: schema.ModelT, operation: schema.OperatorT) -> str:
    """Returns an operation's kind, as "MUL"; of a custom one, its own name."""
    code = model.operatorCodes[operation.opcodeIndex]
    if code.customCode:
        return code.customCode.decode()
    return flatbuffer_utils.opcode_to_name(model, operation.opcodeIndex)


@dataclasses.dataclass(frozen=True)
class Partitions:
    """How XNNPACK divides a step.

    Attributes:
        operations: Number of operations of the step.
        partitions: Number of parts that XNNPACK runs as a whole; one is best.
        outside: Number of operations between the parts, which TFLite's own kernels run.
    """

    operations: int
    partitions: int
    outside: int


def step_partitions(content: bytes) -> Partitions:
    """Returns how XNNPACK divides a model's signature of steps, or its only graph."""
    interpreter = make_interpreter(content=_step_alone(content))
    with silenced():
        interpreter.allocate_tensors()
    nodes = interpreter._get_ops_details()
    # Operations that XNNPACK took are still listed, before it.
    makers = {tensor: node for node in nodes for tensor in node["outputs"]}
    wanted = [output["index"] for output in interpreter.get_output_details()]
    used = {}
    while wanted:
        node = makers.get(wanted.pop())
        if node and node["index"] not in used:
            used[node["index"]] = node["op_name"]
            wanted += node["inputs"].tolist()
    partitions = sum(name == _DELEGATE for name in used.values())
    return Partitions(
        operations=sum(node["op_name"] != _DELEGATE for node in nodes),
        partitions=partitions,
        outside=len(used) - partitions,
    )


def _step_alone(content):
    """Returns a model with one graph, because LiteRT only describes the first."""
    model = read_model(content)
    keys = [signature.signatureKey.decode() for signature in model.signatureDefs or ()]
    step = step_signature(keys)
    index = graph_index(model, step) if step in keys else 0
    model.subgraphs = [model.subgraphs[index]]
    model.signatureDefs = []
    return write_model(model)
