"""Keras Applications' published ImageNet weights of MobileNetV3."""

import io
import os
import pathlib

import h5py
import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras.src.applications import mobilenet_v3

from grw_tf.common.error_text import one_line
from grw_tf.models import BackboneConfig
from grw_tf.models.mobilenet_backbone import MODEL_IDS, SHIFTED_PREFIX
from grw_tf.weights.checkpoint_match import match_shapes

IMAGENET = "imagenet"
"""The `init_checkpoint` that means the weights of Keras Applications."""


def is_keras_weights(init_checkpoint: str | os.PathLike) -> bool:
    """Says whether an `init_checkpoint` is "imagenet" or an .h5 file."""
    name = os.fspath(init_checkpoint)
    return name == IMAGENET or name.endswith(".h5")


def has_keras_weights(model_id: str) -> bool:
    """Says whether Keras Applications has weights of a backbone."""
    return model_id.removeprefix(SHIFTED_PREFIX) in MODEL_IDS


def read_keras_weights(
    model: tf_keras.Model, init_checkpoint: str | os.PathLike
) -> dict[str, np.ndarray]:
    """Returns the value of each variable of a MobileNetV3's backbone.

    Args:
        model: A model of `build_model`.
        init_checkpoint: "imagenet", which Keras downloads once, or the path of a
            weights file of Keras Applications without the top, local or gs://.

    Returns:
        Arrays by the variables' names in `grw_tf.weights.model_variables`.

    Raises:
        ValueError: If the model has another backbone, or the file's variables are not
            exactly those of the backbone.
        OSError: If it cannot be downloaded or read.
    """
    backbone = model.config.backbone
    if not has_keras_weights(backbone.model_id):
        raise ValueError(
            f"{init_checkpoint} is for mobilenet_v3_small and mobilenet_v3_large, and"
            f" the model's backbone is {backbone.model_id}: give a checkpoint of that."
        )
    path = os.path.expanduser(os.fspath(init_checkpoint))
    if path == IMAGENET:
        path = _fetch(backbone)
    saved = _read(path)
    names, shapes = {}, {}
    layers = [layer for layer in model.backbone.network.layers if layer.weights]
    for index, layer in enumerate(layers):
        for variable in layer.weights:
            name = _own_name(variable.name)
            key = f"{layer.name}/{name}"
            names[key] = f"backbone/network/layer_with_weights-{index}/{name}"
            shapes[key] = tuple(variable.shape)
    found = match_shapes({key: value.shape for key, value in saved.items()}, shapes)
    if found.differences:
        raise ValueError(
            f"{path} is not of {backbone.model_id} without its top (include_top=False):"
            f" {found.line()}."
        )
    for key, value in saved.items():
        if not np.isfinite(value).all():
            raise ValueError(f"{path} holds values that are not finite in {key}.")
    return {name: saved[key] for key, name in names.items()}


def describe_keras_weights(path: str | os.PathLike) -> dict[str, str | int]:
    """Returns the properties of a Keras weights file for people to read.

    Raises:
        ValueError: If it is no such file.
        OSError: If it cannot be read.
    """
    name = os.path.expanduser(os.fspath(path))
    if name == IMAGENET:
        return {
            "form": "Keras weights, downloaded when they are restored",
            "for": ", ".join(MODEL_IDS),
        }
    saved = _read(name)
    return {
        "form": "Keras weights file (HDF5), without a config",
        "layers": len({key.rpartition("/")[0] for key in saved}),
        "variables": len(saved),
        "parameters": f"{sum(value.size for value in saved.values()):,}",
        "for": f"{' or '.join(MODEL_IDS)}: restoring tells whether it fits",
    }


def _fetch(backbone: BackboneConfig):
    kind = f"{backbone.model_id.rpartition('_')[2]}_224_1.0_float"
    name = f"weights_mobilenet_v3_{kind}_no_top_v2.h5"
    url = mobilenet_v3.BASE_WEIGHT_PATH + name
    _, without_top = mobilenet_v3.WEIGHTS_HASHES[kind]
    try:
        return tf_keras.utils.get_file(
            name, url, cache_subdir="models", file_hash=without_top
        )
    # Keras raises bare Exceptions when a download fails.
    except Exception as error:
        folder = pathlib.Path.home() / ".keras" / "models"
        raise OSError(
            f"{url} cannot be downloaded ({one_line(error).rpartition(' -- ')[2]}): get"
            f" it by other means and put it into {folder} as {name}, or give its path"
            " as init_checkpoint."
        ) from None


def _read(path):
    """Returns the arrays of a Keras weights file by layer and variable."""
    try:
        with (
            tf.io.gfile.GFile(path, "rb") as file,
            h5py.File(io.BytesIO(file.read())) as saved,
        ):
            return {
                f"{layer}/{_own_name(weight)}": np.asarray(saved[layer][weight])
                for layer in _texts(saved, "layer_names")
                for weight in _texts(saved[layer], "weight_names")
            }
    except tf.errors.OpError as error:
        raise OSError(f"{path} cannot be read: {one_line(error)}") from None
    except (KeyError, OSError) as error:
        raise ValueError(
            f"{path} is not a weights file of Keras, as save_weights writes:"
            f" {one_line(error)}."
        ) from None


def _texts(group, attribute):
    return [
        text.decode() if isinstance(text, bytes) else text
        for text in group.attrs[attribute]
    ]


def _own_name(name):
    """Returns "gamma" of "Conv/BatchNorm/gamma:0"."""
    return name.rpartition("/")[2].removesuffix(":0")
