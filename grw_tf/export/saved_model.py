"""A model as a TensorFlow SavedModel, for servers.

`tf.saved_model.load` and TensorFlow Serving can run it without this project.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

import grw_tf
from grw_tf.common import output_folder
from grw_tf.common.labels_file import check_class_names
from grw_tf.common.replacing import replacing_folder
from grw_tf.export.bundle import LABELS, MANIFEST
from grw_tf.export.conversion import named, weights_module
from grw_tf.export.manifest import format_version, frame_entries, output_entries
from grw_tf.models.streaming import StreamingModel, as_stream_states, head_states

# Where a SavedModel keeps files that its graph does not read.
EXTRA = "assets.extra"

_PRODUCER = "grw_tf"


def write_saved_model(
    path: str | os.PathLike,
    model: tf_keras.Model,
    class_names: Sequence[str],
    thresholds: Sequence[float] | None = None,
) -> None:
    """Writes a model as a SavedModel for any batch size.

    Its signatures take and return tensors by name. Frames are `image`, float32 in 0..1,
    RGB; `probabilities` are the softmax of `logits` [batch, num_classes], or for a
    model with several labels their sigmoids.

    - `serving_default`: clips [batch, frames, size, size, 3] -> logits, probabilities.
    - `init_states` (causal models): `batch_size`, an int32 scalar -> the states, by
      name, of streams that have seen no frame.
    - `step` (causal models): the next frame of each stream [batch, 1, size, size, 3]
      and the states -> the new states, by the same names, and logits and probabilities
      where the head gives them at each frame.
    - `classify` (the "transformer" head): the head's states, those whose names start
      with "state_temporal_head_" -> logits, probabilities.

    `assets.extra` holds `labels.txt` and `manifest.json`.

    Args:
        path: The folder to write, completely or not at all. An earlier export is
            replaced.
        model: A model of `build_model`.
        class_names: Names of the classes, in the order of the logits.
        thresholds: For a model with several labels, the scores from which classes are
            named, for the manifest; by default 0.5.

    Raises:
        ValueError: If the number of names is not that of classes, or the folder is not
            an earlier export.
        OSError: If it cannot be written.
    """
    check_class_names(class_names, model.config)
    check_replaceable(path)
    with replacing_folder(path) as unfinished:
        signatures = make_signatures(model)
        module = weights_module(model.weights)
        tf.saved_model.save(module, str(unfinished), signatures)
        extra = unfinished / EXTRA
        extra.mkdir()
        (extra / LABELS).write_text("\n".join(class_names) + "\n")
        manifest = json.dumps(_manifest(model.config, signatures, thresholds), indent=2)
        (extra / MANIFEST).write_text(manifest + "\n")


def check_replaceable(path: str | os.PathLike) -> None:
    """Raises a ValueError if a path exists and is not an earlier export."""
    output_folder.check_replaceable(Path(path), Path(EXTRA, MANIFEST), _PRODUCER)


def make_signatures(model: tf_keras.Model) -> dict[str, Any]:
    """Returns the functions of `write_saved_model`, traced, by name."""
    config = model.config

    @tf.function(autograph=False, input_signature=[{"image": _image(config, None)}])
    def classify_clip(inputs):
        return _answers(model(inputs["image"], training=False), config)

    signatures = {"serving_default": classify_clip}
    if config.backbone.causal:
        signatures |= _stream_signatures(StreamingModel(model))
    return {
        name: function.get_concrete_function() for name, function in signatures.items()
    }


def _stream_signatures(stream):
    config = stream.model.config
    states = named(stream.state_specs(batch_size=None))
    classified = as_stream_states(head_states(states))
    batch_size = tf.TensorSpec((), tf.int32, "batch_size")

    @tf.function(autograph=False, input_signature=[{"batch_size": batch_size}])
    def init_states(inputs):
        size = inputs["batch_size"]
        return {
            name: tf.zeros([size if n is None else n for n in spec.shape], spec.dtype)
            for name, spec in states.items()
        }

    inputs = {"image": _image(config, 1), **states}

    @tf.function(autograph=False, input_signature=[inputs])
    def step(inputs):
        inputs = dict(inputs)
        logits, new_states = stream.step(inputs.pop("image"), inputs)
        return new_states if logits is None else new_states | _answers(logits, config)

    @tf.function(autograph=False, input_signature=[classified])
    def classify(inputs):
        return _answers(stream.classify(inputs), config)

    functions = {"init_states": init_states, "step": step}
    if stream.on_demand:
        functions["classify"] = classify
    return functions


def _image(config, frames):
    shape = (None, frames or config.frames, config.size, config.size, 3)
    return tf.TensorSpec(shape, tf.float32, "image")


def _answers(logits, config):
    several = config.has_several_labels
    scores = tf.math.sigmoid(logits) if several else tf.nn.softmax(logits)
    return {"logits": logits, "probabilities": scores}


def _manifest(config, signatures, thresholds):
    return {
        "format_version": format_version(config),
        "producer": f"{_PRODUCER} {grw_tf.__version__}",
        "signatures": {
            name: {
                "inputs": _describe(function.structured_input_signature[0][0]),
                "outputs": _describe(function.structured_outputs),
            }
            for name, function in signatures.items()
        },
        "input": {
            "name": "image",
            "range": [0.0, 1.0],
            "channels": "RGB",
            **frame_entries(config.frame_geometry),
        },
        **(
            {"output": {"name": "logits", **output_entries(config, thresholds)}}
            if config.has_several_labels
            else {}
        ),
        "fps": config.fps,
        "head": config.head.type,
        "window": config.frames,
        "model": json.loads(config.to_json()),
    }


def _describe(tensors):
    return {
        name: {
            "shape": tensor.shape.as_list(),
            "dtype": np.dtype(tensor.dtype.as_numpy_dtype).name,
        }
        for name, tensor in tensors.items()
    }
