"""All that is needed to run an exported file, as JSON."""

import json

import grw_tf
from grw_tf.export.clip_network import ClipNetwork
from grw_tf.export.state_entries import state_entries
from grw_tf.export.streaming_network import StreamingNetwork
from grw_tf.frames.geometry import FrameGeometry
from grw_tf.streaming.litert import make_interpreter
from grw_tf.streaming.signature_names import CLASSIFY_CLIP, IMAGE, step_signature

FORMAT_VERSION = 2


def frame_entries(geometry: FrameGeometry) -> dict:
    """Returns a manifest's entries on the preparation of frames.

    With `frame_fit` "short_side" a frame's shorter side is resized to `resize` pixels,
    with "square" both sides are. The middle square is then cropped.
    """
    return {"resize": geometry.side, "frame_fit": geometry.fit}


def make_manifest(network: StreamingNetwork, content: bytes) -> dict:
    """Returns the manifest of the TFLite model that a network was converted to.

    It can be understood without this project; `model` is the model's config.
    """
    signatures, shape = _interface(content)
    return _described(network, signatures, shape) | {
        "frames_per_step": network.frames_per_step,
        "states": state_entries(content),
    }


def make_clip_manifest(network: ClipNetwork) -> dict:
    """Returns the manifest of a model that classifies clips of `window` frames."""
    shape = network.image_spec.shape.as_list()
    return _described(network, [CLASSIFY_CLIP], shape)


def _described(network, signatures, shape):
    config = network.model.config
    image = network.image_spec
    return {
        "format_version": FORMAT_VERSION,
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
        "output": {"name": "logits", "shape": [1, config.num_classes]},
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
