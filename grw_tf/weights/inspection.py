"""A report on a checkpoint for people to read."""

import math
import os

import tensorflow as tf

from grw_tf.weights.checkpoint_match import match_checkpoint
from grw_tf.weights.identify import GATES_EXPLAINED, identify
from grw_tf.weights.keras_applications import describe_keras_weights, is_keras_weights
from grw_tf.weights.model_variables import model_layout
from grw_tf.weights.opening import open_checkpoint
from grw_tf.weights.torch.archive import is_torch_file

_UNRECORDED = " (not recorded: as in official models)"


def inspect(checkpoint: str | os.PathLike) -> str:
    """Returns the properties of the model of a checkpoint for `restore`, one a line.

    Raises:
        ValueError: If its model is unknown; the message gives reasons. If its variables
            are not those of its recorded config.
        OSError: If it cannot be fetched or read.
    """
    if is_keras_weights(checkpoint):
        return _lines(describe_keras_weights(checkpoint))
    with open_checkpoint(checkpoint) as saved:
        try:
            config = identify(saved)
        except ValueError as error:
            raise ValueError(f"{checkpoint} {error}") from None
        parts = [part for part in ("backbone", "affine", "head") if saved.has(part)]
        if saved.config:
            match = match_checkpoint(saved, config, parts, convert=False)
            if match.differences:
                raise ValueError(
                    f"{checkpoint} does not have the variables of its own config:\n"
                    f"{match.table()}"
                )
        rows = _rows(saved, config, parts)
    return _lines(rows)


def _lines(rows):
    return "\n".join(f"{title:20} {value}" for title, value in rows.items())


def _form(saved):
    if is_torch_file(saved.prefix):
        return "PyTorch file"
    folder = os.path.dirname(os.path.dirname(saved.prefix))
    is_saved_model = tf.io.gfile.exists(os.path.join(folder, "saved_model.pb"))
    return "Keras SavedModel" if is_saved_model else "TensorFlow checkpoint"


def _rows(saved, config, parts):
    known = saved.config is not None

    def recorded(value, otherwise=_UNRECORDED):
        return f"{value}{'' if known else otherwise}"

    backbone, shapes = config.backbone, model_layout(config)
    counts = {
        part: [shape for name, shape in shapes.items() if name.startswith(part)]
        for part in parts
    }
    return {
        "form": _form(saved),
        "model id": backbone.model_id,
        "kind": recorded("stream" if backbone.causal else "base"),
        **(_rows_of_choices(backbone, known) if backbone.family.choices else {}),
        "head": _head(config, recorded) if saved.has("head") else "none",
        "classes": config.num_classes if saved.has("head") else "none",
        "clip": recorded(
            f"{config.frames} frames of {config.size} px at {config.fps:g} a second,"
            f" {config.frame_fit}"
        ),
        "variables": ", ".join(f"{part} {len(c)}" for part, c in counts.items()),
        "parameters": ", ".join(
            f"{part} {sum(map(math.prod, c)):,}" for part, c in counts.items()
        ),
        "also there": ", ".join(saved.others) or "nothing",
    }


def _rows_of_choices(backbone, known):
    """Returns the rows of properties that vary in the backbone's family."""
    se_type, activation = backbone.se_type, backbone.activation
    gate = backbone.gating_activation
    if not known:
        se_type = "3d or 2d" if se_type == "3d" else se_type
        activation += _UNRECORDED
        gate = f"not recorded: {GATES_EXPLAINED}"
    return {
        "conv_type": backbone.conv_type,
        "se_type": se_type,
        "activation": activation,
        "gating_activation": gate,
        "positional encoding": "yes" if backbone.use_positional_encoding else "no",
    }


def _head(config, recorded):
    head = config.head
    if not head.embeds:
        return head.type
    text = f"{head.type}, embed_dim {head.embed_dim or 'of the backbone'}"
    if head.type == "mean":
        return text
    return f"{text}, depth {head.depth}, mlp_dim {head.mlp_dim}, " + recorded(
        f"num_heads {head.num_heads}", "num_heads not recorded"
    )
