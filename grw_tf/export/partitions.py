"""How XNNPACK divides a file's step."""

import typing

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from grw_tf.streaming.litert import make_interpreter
from grw_tf.streaming.native_output import silenced

_DELEGATE = "DELEGATE"


class Partitions(typing.NamedTuple):
    """How a step is divided.

    Attributes:
        operations: Number of operations of the step.
        partitions: Number of parts that XNNPACK runs as a whole; one is best.
        outside: Number of operations between the parts, which TFLite's own kernels run.
    """

    operations: int
    partitions: int
    outside: int


def step_partitions(content: bytes) -> Partitions:
    """Returns how XNNPACK divides the signature `step` of a file, or its only one.

    Args:
        content: A TFLite model.
    """
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
    model = schema.ModelT.InitFromPackedBuf(content)
    steps = [s for s in model.signatureDefs or () if s.signatureKey == b"step"]
    index = steps[0].subgraphIndex if steps else 0
    model.subgraphs = [model.subgraphs[index]]
    model.signatureDefs = []
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
