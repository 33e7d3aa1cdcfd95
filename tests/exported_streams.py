"""Small models, exported for tests of running them."""

import tensorflow as tf
from exported_files import CLASSES

from grw_tf.export.bundle import bundle
from grw_tf.export.clip_network import ClipNetwork
from grw_tf.export.conversion import convert, convert_clips, convert_functions
from grw_tf.export.manifest import make_clip_manifest, make_manifest
from grw_tf.export.quantization.quantize import quantize
from grw_tf.export.streaming_network import StreamingNetwork


def write_stream(path, model, class_names=CLASSES, frames_per_step=1, mode="none"):
    """Writes a model's stream, not compared with the model; returns the path."""
    network = StreamingNetwork(model, frames_per_step)
    content = quantize(convert(network), mode).content
    path.write_bytes(bundle(content, class_names, make_manifest(network, content)))
    return path


def write_clip_classifier(path, model, class_names=CLASSES, image_dtype="uint8"):
    """Writes a model of clips, not compared with the model; returns the path."""
    network = ClipNetwork(model, image_dtype)
    content = convert_clips(network)
    path.write_bytes(bundle(content, class_names, make_clip_manifest(network)))
    return path


def write_counter(path, image_dtype="uint8", frames_per_step=1, thresholds=None):
    """Writes a model with states of several types that start at several values.

    Its logits are the number of steps taken, started from 7; the mean of the last
    images in 0..1; and an int8 state that falls by 3 from 100. With thresholds, it is a
    model with several labels.
    """
    shape = (frames_per_step, 8, 8, 3)
    image = tf.TensorSpec(shape, image_dtype, "image")
    states = {
        "count": tf.TensorSpec((1,), tf.int32, "count"),
        "level": tf.TensorSpec((1, 2), tf.int8, "level"),
    }
    unit = 1 / 255 if image_dtype == "uint8" else 1.0

    @tf.function(autograph=False, input_signature=[{"image": image, **states}])
    def step(inputs):
        count = inputs["count"] + 1
        level = tf.cast(tf.cast(inputs["level"], tf.int32) - 3, tf.int8)
        mean = tf.reduce_mean(tf.cast(inputs["image"], tf.float32)) * unit
        numbers = [count[0], mean, level[0, 1]]
        numbers = [tf.cast(number, tf.float32) for number in numbers]
        return {"count": count, "level": level, "logits": tf.stack(numbers)[None]}

    output = {"name": "logits", "shape": [1, 3]}
    if thresholds:
        output |= {"activation": "sigmoid", "thresholds": thresholds}
    manifest = {
        "format_version": 3 if thresholds else 2,
        "signatures": ["step"],
        "input": {
            "name": "image",
            "shape": list(shape),
            "dtype": image_dtype,
            "range": [0, 255] if image_dtype == "uint8" else [0.0, 1.0],
            "resize": 9,
            "frame_fit": "square",
        },
        "output": output,
        "fps": 5.0,
        "frames_per_step": frames_per_step,
        "head": "official",
        "window": 4,
        "states": [
            {"name": "count", "shape": [1], "dtype": "int32", "initial_value": 7},
            {"name": "level", "shape": [1, 2], "dtype": "int8", "initial_value": 100},
        ],
    }
    content = convert_functions({"step": step})
    path.write_bytes(bundle(content, ["n", "mean", "level"], manifest))
    return path


def write_colors(path, labels=("red", "green"), remembers=False):
    """Writes a model of 5 frames a second that sees how red, green and blue frames are.

    Its logits are 8 times the mean of each color in 0..1, in the last frame, or if it
    `remembers` in all frames so far, as with an official head. Its clips have 4 frames.
    """
    shape, classes = (1, 8, 8, 3), len(labels)
    states = {
        "state_frame_count": tf.TensorSpec((1,), tf.int32, "state_frame_count"),
        "state_mean": tf.TensorSpec((1, classes), tf.float32, "state_mean"),
    }
    image = tf.TensorSpec(shape, tf.uint8, "image")

    @tf.function(autograph=False, input_signature=[{"image": image, **states}])
    def step(inputs):
        count = inputs["state_frame_count"] + 1
        seen = tf.reduce_mean(tf.cast(inputs["image"], tf.float32), (1, 2)) / 255
        share = 1.0 / tf.cast(count, tf.float32) if remembers else 1.0
        mean = inputs["state_mean"]
        mean += (seen[:, :classes] - mean) * share
        return {"state_frame_count": count, "state_mean": mean, "logits": 8.0 * mean}

    manifest = {
        "format_version": 2,
        "signatures": ["step"],
        "input": {
            "name": "image",
            "shape": list(shape),
            "dtype": "uint8",
            "range": [0, 255],
            "resize": 8,
            "frame_fit": "square",
        },
        "output": {"name": "logits", "shape": [1, classes]},
        "fps": 5.0,
        "frames_per_step": 1,
        "head": "official",
        "window": 4,
        "states": [
            {
                "name": name,
                "shape": spec.shape.as_list(),
                "dtype": spec.dtype.name,
                "initial_value": 0,
            }
            for name, spec in states.items()
        ],
    }
    content = convert_functions({"step": step})
    path.write_bytes(bundle(content, labels, manifest))
    return path
