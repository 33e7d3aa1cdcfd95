"""Patterns in a TFLite graph that GPU delegates are known to refuse or get wrong.

No phone's GPU is at hand here: each rule has its source, a public report, a delegate's
own source code, or a run of LiteRT's accelerator on a software GPU (docs/export.md).
"""

import collections
import dataclasses
from collections.abc import Iterator

from ai_edge_litert import schema_py_generated as schema

from grw_tf.export.flatbuffer import read_model
from grw_tf.export.operations import kind_of

_LITERT = "github.com/google-ai-edge/LiteRT/issues"
_SAMPLES = "github.com/google-ai-edge/litert-samples/pull"
_TENSORFLOW = "github.com/tensorflow/tensorflow"
_LIST = f"{_TENSORFLOW}: tensorflow/lite/tools/versioning/gpu_compatibility.cc"

RULES = {
    "output_read": (
        "an output that another operation reads, too, may hold another tensor",
        f"{_LITERT}/8599; {_TENSORFLOW}/issues/27240, 59311; {_SAMPLES}/198",
    ),
    "output_of_state_sum": (
        "an output that is an input plus a tensor may be zeros",
        f"{_SAMPLES}/198",
    ),
    "output_not_computed": (
        "an output that is an input or a constant is not computed",
        f"{_SAMPLES}/198",
    ),
    "output_twice": (
        "two outputs of one tensor would share a buffer",
        f"follows from {_LITERT}/8599; no report of its own is known",
    ),
    "five_axes": ("a tensor has more than four axes", f"{_SAMPLES}/198"),
    "vector": (
        "a computed tensor has one axis only, which is taken for the batch",
        "LiteRT 2.3.0's accelerator gave wrong logits: see docs/export.md",
    ),
    "relu_0_to_1": ("RELU_0_TO_1 is refused since 2.1.5", f"{_LITERT}/8598"),
    "byte_cast": (
        "a CAST from 8 bits to floats is refused",
        f"{_LIST}; discuss.ai.google.dev/t/23694",
    ),
    "dequantized_input": (
        "a computed tensor or an input is dequantized",
        "discuss.ai.google.dev/t/23694",
    ),
    "byte_weights": (
        "weights in 8 bits: the delegate's operations are listed for floats",
        "tensorflow.org/lite/performance/gpu",
    ),
    "unlisted_operation": ("an operation that the delegate does not list", _LIST),
    "dynamic_shape": (
        "a shape is not fixed, and delegates take fixed ones only",
        f"{_TENSORFLOW}: tensorflow/lite/core/subgraph.cc",
    ),
}
"""What is wrong, and the source, by rule."""

# Those of `gpu_compatibility.cc`, without custom ones.
_LISTED = frozenset(
    [
        "ABS",
        "ADD",
        "ADD_N",
        "ATAN2",
        "AVERAGE_POOL_2D",
        "BATCH_MATMUL",
        "CAST",
        "CEIL",
        "CONCATENATION",
        "CONV_2D",
        "COS",
        "CUMSUM",
        "DENSIFY",
        "DEPTHWISE_CONV_2D",
        "DEPTH_TO_SPACE",
        "DEQUANTIZE",
        "DIV",
        "DYNAMIC_UPDATE_SLICE",
        "ELU",
        "EMBEDDING_LOOKUP",
        "EQUAL",
        "EXP",
        "FLOOR",
        "FLOOR_DIV",
        "FLOOR_MOD",
        "FULLY_CONNECTED",
        "GATHER",
        "GELU",
        "GREATER",
        "GREATER_EQUAL",
        "HARD_SWISH",
        "LEAKY_RELU",
        "LESS",
        "LESS_EQUAL",
        "LOG",
        "LOGICAL_AND",
        "LOGISTIC",
        "LSTM",
        "MAXIMUM",
        "MAX_POOL_2D",
        "MEAN",
        "MINIMUM",
        "MIRROR_PAD",
        "MUL",
        "NEG",
        "NOT_EQUAL",
        "ONE_HOT",
        "PACK",
        "PAD",
        "PADV2",
        "POW",
        "PRELU",
        "QUANTIZE",
        "REDUCE_MAX",
        "REDUCE_MIN",
        "REDUCE_PROD",
        "RELU",
        "RELU6",
        "RELU_N1_TO_1",
        "RESHAPE",
        "RESIZE_BILINEAR",
        "RESIZE_NEAREST_NEIGHBOR",
        "RSQRT",
        "SELECT",
        "SELECT_V2",
        "SIGN",
        "SIN",
        "SLICE",
        "SOFTMAX",
        "SPACE_TO_DEPTH",
        "SPLIT",
        "SPLIT_V",
        "SQRT",
        "SQUARE",
        "SQUARED_DIFFERENCE",
        "STABLEHLO_CLAMP",
        "STRIDED_SLICE",
        "SUB",
        "SUM",
        "TANH",
        "TILE",
        "TRANSPOSE",
        "TRANSPOSE_CONV",
    ]
)
# It takes no fewer axes in these.
_SLICES, _FEWEST_AXES = ("SLICE", "STRIDED_SLICE"), 3
_MOST_AXES = 4
_TYPES = schema.TensorType
_BYTES = (_TYPES.UINT8, _TYPES.INT8)
_FLOATS = (_TYPES.FLOAT32, _TYPES.FLOAT16)
_WITH_WEIGHTS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
# A report names this many places.
_NAMED = 3


@dataclasses.dataclass(frozen=True)
class Finding:
    """A pattern known to fail that a file has.

    Attributes:
        rule: Its key in `RULES`.
        meaning: What is wrong.
        source: Who found it.
        count: How often the file has it.
        places: Names of some of the tensors or operations.
    """

    rule: str
    meaning: str
    source: str
    count: int
    places: tuple[str, ...]


def find_patterns(content: bytes) -> tuple[Finding, ...]:
    """Returns what a TFLite model has that GPU delegates are known to fail on."""
    model = read_model(content)
    places = collections.defaultdict(list)
    for graph in model.subgraphs:
        view = GraphView(model, graph)
        for rule, place in _patterns(view):
            places[rule].append(place)
    return tuple(
        Finding(rule, meaning, source, len(places[rule]), tuple(places[rule][:_NAMED]))
        for rule, (meaning, source) in RULES.items()
        if rule in places
    )


class GraphView:
    """What rules ask about a graph of a model.

    Attributes:
        graph: The graph.
        operations: Pairs of (kind, operation).
    """

    def __init__(self, model: schema.ModelT, graph: schema.SubGraphT) -> None:
        self.graph = graph
        self._buffers = model.buffers
        self.operations = [
            (kind_of(model, operation), operation) for operation in graph.operators
        ]
        self._read = {int(i) for _, o in self.operations for i in o.inputs}
        self._makers = {
            int(index): (kind, operation)
            for kind, operation in self.operations
            for index in operation.outputs
        }

    def is_constant(self, index: int) -> bool:
        """Whether a tensor's values are stored."""
        return self._buffers[self.graph.tensors[index].buffer].data is not None

    def is_input(self, index: int) -> bool:
        """Whether a tensor is given to the graph."""
        return index in list(self.graph.inputs)

    def is_index(self, index: int) -> bool:
        """Whether a tensor says which rows to gather, and nothing else reads it."""
        places = [
            (kind, place)
            for kind, operation in self.operations
            for place, read in enumerate(operation.inputs)
            if read == index
        ]
        return bool(places) and set(places) == {("GATHER", 1)}

    def output_rules(self, index: int) -> Iterator[str]:
        """Yields the rules that an output breaks by where it comes from."""
        if self.is_input(index) or self.is_constant(index):
            yield "output_not_computed"
            return
        if index in self._read:
            yield "output_read"
        kind, operation = self._makers[index]
        if kind == "ADD" and any(map(self.is_input, operation.inputs)):
            yield "output_of_state_sum"


def _patterns(view):
    """Yields pairs of a rule and a place that breaks it."""
    tensors = view.graph.tensors
    outputs = [int(index) for index in view.graph.outputs]
    for place, index in enumerate(outputs):
        name = _name(tensors[index])
        for rule in view.output_rules(index):
            yield rule, name
        if index in outputs[:place]:
            yield "output_twice", name
    for index, tensor in enumerate(tensors):
        shape = _shape(tensor)
        if len(shape) > _MOST_AXES:
            yield "five_axes", _name(tensor)
        computed = not (view.is_constant(index) or view.is_index(index))
        if len(shape) == 1 and shape[0] != 1 and computed:
            yield "vector", _name(tensor)
        signature = tensor.shapeSignature
        if signature is not None and min(signature, default=1) < 0:
            yield "dynamic_shape", _name(tensor)
    for kind, operation in view.operations:
        for rule in _operation_rules(view, kind, operation):
            yield rule, f"{kind} {_name(tensors[operation.outputs[0]])}"


def _operation_rules(view, kind, operation):
    tensors = view.graph.tensors
    source, target = tensors[operation.inputs[0]], tensors[operation.outputs[0]]
    if kind == "RELU_0_TO_1":
        yield "relu_0_to_1"
    elif kind not in _LISTED or (
        kind in _SLICES and len(_shape(source)) < _FEWEST_AXES
    ):
        yield "unlisted_operation"
    elif kind == "CAST" and source.type in _BYTES and target.type in _FLOATS:
        yield "byte_cast"
    elif kind == "DEQUANTIZE" and not view.is_constant(operation.inputs[0]):
        yield "dequantized_input"
    elif (kind == "DEQUANTIZE" and source.type in _BYTES) or (
        kind in _WITH_WEIGHTS and tensors[operation.inputs[1]].type in _BYTES
    ):
        yield "byte_weights"


def _shape(tensor):
    return [] if tensor.shape is None else [int(size) for size in tensor.shape]


def _name(tensor):
    return tensor.name.decode()
