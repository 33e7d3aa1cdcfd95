"""All that is needed to run an exported file, as JSON."""

import json
from collections.abc import Sequence

import grw_tf
from grw_tf.common.output_activation import DEFAULT_THRESHOLD
from grw_tf.export.clip_network import ClipNetwork
from grw_tf.export.state_entries import state_entries
from grw_tf.export.streaming_network import StreamingNetwork
from grw_tf.frames.geometry import FrameGeometry
from grw_tf.models.config import ModelConfig
from grw_tf.streaming.litert import make_interpreter
from grw_tf.streaming.signature_names import CLASSIFY_CLIP, IMAGE, step_signature

FORMAT_VERSION = 2
# That of models with sigmoids, which older readers would take for a softmax.
_SIGMOID_FORMAT = 3


def frame_entries(geometry: FrameGeometry) -> dict:
    """Returns a manifest's entries on the preparation of frames.

    With `frame_fit` "short_side" a frame's shorter side is resized to `resize` pixels,
    with "square" both sides are. The middle square is then cropped.
    """
    return {"resize": geometry.side, "frame_fit": geometry.fit}


def output_entries(
    config: ModelConfig, thresholds: Sequence[float] | None = None
) -> dict:
    """Returns a manifest's entries on what becomes of the logits; none for a softmax.

    `activation` "sigmoid" gives each class a score of its own, and a class is named
    from its score in `thresholds` on, by default from 0.5.
    """
    if not config.has_several_labels:
        return {}
    if thresholds is None:
        thresholds = [DEFAULT_THRESHOLD] * config.num_classes
    return {
        "activation": config.output_activation,
        "thresholds": [round(float(number), 6) for number in thresholds],
    }


def make_manifest(
    network: StreamingNetwork,
    content: bytes,
    thresholds: Sequence[float] | None = None,
) -> dict:
    """Returns the manifest of the TFLite model that a network was converted to.

    It can be understood without this project; `model` is the model's config. For the
    thresholds, see `output_entries`.
    """
    signatures, shape = _interface(content)
    return _described(network, signatures, shape, thresholds) | {
        "frames_per_step": network.frames_per_step,
        "states": state_entries(content),
    }


def make_clip_manifest(
    network: ClipNetwork, thresholds: Sequence[float] | None = None
) -> dict:
    """Returns the manifest of a model that classifies clips of `window` frames."""
    shape = network.image_spec.shape.as_list()
    return _described(network, [CLASSIFY_CLIP], shape, thresholds)


def format_version(config: ModelConfig) -> int:
    """Returns the version of the format that a model's manifest has."""
    return _SIGMOID_FORMAT if config.has_several_labels else FORMAT_VERSION


def _described(network, signatures, shape, thresholds):
    config = network.model.config
    image = network.image_spec
    return {
        "format_version": format_version(config),
        "producer": f"grw_tf {grw_tf.__version__}",
        "signatures": signatures,
        "input": {
            "name": "image",
            "shape": shape,
            "dtype": image.dtype.name,
            "range": [0, 255] if image.dtype.is_integer else [0.0, 1.0],
            "channels": "RGB",
            **frame_entries(config.frame_geometry),
        },
        "output": {
            "name": "logits",
            "shape": [1, config.num_classes],
            **output_entries(config, thresholds),
        },
        "fps": config.fps,
        "head": config.head.type,
        "window": config.frames,
        "model": json.loads(config.to_json()),
    }


def _interface(content):
    """Returns the names of a model's signatures, and the shape of its image."""
    interpreter = make_interpreter(content=content)
    names = list(interpreter.get_signature_list())
    step = interpreter.get_signature_runner(step_signature(names))
    # The order in the file says nothing.
    names.sort(key=lambda name: name != step_signature(names))
    return names, step.get_input_details()[IMAGE]["shape"].tolist()
