"""All that is needed to run an exported file, as JSON."""

import json

import grw_tf
from grw_tf.export.state_entries import state_entries
from grw_tf.export.streaming_network import StreamingNetwork
from grw_tf.frames.geometry import FrameGeometry

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
    config = network.model.config
    image = network.image_spec
    return {
        "format_version": FORMAT_VERSION,
        "producer": f"grw_tf {grw_tf.__version__}",
        "signatures": network.signatures,
        "input": {
            "name": "image",
            "shape": list(image.shape),
            "dtype": image.dtype.name,
            "range": [0, 255] if image.dtype.is_integer else [0.0, 1.0],
            "channels": "RGB",
            **frame_entries(config.frame_geometry),
        },
        "output": {"name": "logits", "shape": [1, config.num_classes]},
        "fps": config.fps,
        "frames_per_step": network.frames_per_step,
        "head": config.head.type,
        "window": config.frames,
        "states": state_entries(content),
        "model": json.loads(config.to_json()),
    }
