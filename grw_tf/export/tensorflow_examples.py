"""The layout that TensorFlow's own sample apps of video classification take.

tensorflow/examples, lite/examples/video_classification, for Android and Raspberry Pi:
one signature `serving_default`; input `image` float32 [1, 1, height, width, 3] in 0..1;
all other inputs are states, which the apps fill with zeros at the start and with the
outputs of the same names from then on; output `logits` [1, classes], of which the apps
take the softmax; and a text file with a line a class.
"""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from grw_tf.export.flatbuffer import read_model, write_model
from grw_tf.export.graph_editing import add_constant, add_copy, make_operation
from grw_tf.models.config import ModelConfig
from grw_tf.streaming.signature_names import IMAGE, SERVING

LAYOUT = "tensorflow_examples"

LABEL_FILE = "kinetics600_label_map.txt"
"""The name of the label file in both apps, whatever the classes are."""

FPS = 5.0
"""Frames per second that the apps feed."""

FEWEST_CLASSES = 3
"""The Android app shows the three likeliest, and crashes if there are fewer."""

_ON_DEMAND = "transformer"
_HIGHEST = 127


def check_layout(config: ModelConfig) -> None:
    """Raises a ValueError if the apps cannot run a model.

    They need logits at each step, and take the softmax of them.
    """
    if config.has_several_labels:
        raise ValueError(
            f"--layout={LAYOUT} is for TensorFlow's sample apps, which take the softmax"
            " of the logits, and this model has a sigmoid for each class: leave it out,"
            " and use this project's sessions."
        )
    if config.head.type == _ON_DEMAND:
        raise ValueError(
            f"--layout={LAYOUT} needs logits at each step, and the {_ON_DEMAND!r} head"
            " gives them on demand: train with the official, causal_transformer or mean"
            " head."
        )


def to_layout(content: bytes) -> bytes:
    """Returns a streaming model, of one frame a step, in the layout.

    States in 8 bits get zero for their zero point, because the apps start all states
    with bytes of zero. That can make their steps twice as wide.
    """
    model = read_model(content)
    (signature,) = model.signatureDefs
    signature.signatureKey = SERVING.encode()
    graph = model.subgraphs[signature.subgraphIndex]
    for entry in signature.inputs:
        if entry.name == IMAGE.encode():
            _add_axis(model, graph, entry)
    for entry in [*signature.inputs, *signature.outputs]:
        _center(graph.tensors[entry.tensorIndex])
    return write_model(model)


def _add_axis(model, graph, entry):
    """Takes the image with another axis of 1 first."""
    index = entry.tensorIndex
    shape = np.array(graph.tensors[index].shape, np.int32)
    given = add_copy(graph, index, b"/clip")
    graph.tensors[given].shape = [1, *shape.tolist()]
    graph.tensors[given].shapeSignature = None
    options = schema.ReshapeOptionsT()
    options.newShape = shape.tolist()
    wanted = add_constant(model, graph, b"image_shape", shape)
    reshape = make_operation(model, "RESHAPE", [given, wanted], index, options=options)
    graph.operators.insert(0, reshape)
    graph.inputs = [given if i == index else i for i in graph.inputs]
    entry.tensorIndex = given


def _center(tensor):
    """Gives a state in int8 the zero point 0, with the same range or a wider one."""
    if tensor.type != schema.TensorType.INT8:
        return
    (scale,), (zero_point,) = tensor.quantization.scale, tensor.quantization.zeroPoint
    levels = max(_HIGHEST - zero_point, zero_point + _HIGHEST + 1)
    # A tensor that is input and output is met twice: 0 stays as it is.
    if zero_point:
        tensor.quantization.scale = [scale * levels / _HIGHEST]
        tensor.quantization.zeroPoint = [0]
