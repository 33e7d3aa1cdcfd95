"""Restores models from checkpoints: the backbone strictly, the head where it fits."""

import dataclasses
import logging
import os
from collections.abc import Sequence
from typing import Any

import tf_keras

from grw_tf.frames.geometry import SHORT_SIDE
from grw_tf.models import ModelConfig, build_model
from grw_tf.models.config_record import check_backbone
from grw_tf.models.conventions import TENSORFLOW
from grw_tf.weights.checkpoint_match import match_checkpoint
from grw_tf.weights.identify import GATES_EXPLAINED, describe, identify
from grw_tf.weights.keras_applications import is_keras_weights, read_keras_weights
from grw_tf.weights.model_variables import assign, find_variables, model_layout
from grw_tf.weights.opening import open_checkpoint

_CLASSIFIER = "head/_classifier"


@dataclasses.dataclass(frozen=True)
class Restored:
    """What was restored from a checkpoint.

    Attributes:
        names: Names of the restored variables, as in `grw_tf.weights.model_variables`.
        own: Names of the head's variables that kept the model's own values.
        message: A summary in words.
    """

    names: tuple[str, ...]
    own: tuple[str, ...]
    message: str


def restore(model: tf_keras.Model, init_checkpoint: str | os.PathLike) -> Restored:
    """Restores a model's whole backbone, and its head where it fits.

    The head is restored if it has the same type and sizes. If only the number of
    classes differs, the model keeps its own classifier (the last layer). Weights are
    converted between `2plus1d` and `3d_2plus1d`, as the Model Garden's
    `convert_3d_2plus1d` does. Smoothing layers keep their state. If a checkpoint is
    refused, the model does not change.

    Args:
        model: A model of `build_model`.
        init_checkpoint: The name of an official checkpoint ("movinet_a0_stream"), or
            the path of a checkpoint: a prefix, folder or .tar.gz, local or gs://. For a
            MobileNetV3 also "imagenet", the weights of Keras Applications, or the path
            of such an .h5 file.

    Returns:
        What was restored. Its message is logged, as a warning if the model keeps values
        of its own.

    Raises:
        ValueError: If there is no such checkpoint, if its backbone's variables differ
            from the model's (the message has a table), or if its recorded config
            computes another function, such as another gating activation.
        OSError: If it cannot be fetched or read.
    """
    if is_keras_weights(init_checkpoint):
        values = read_keras_weights(model, init_checkpoint)
        assign(model, values)
        return _report(init_checkpoint, model.config, tuple(values))
    with open_checkpoint(init_checkpoint) as saved:
        return _restore(model, init_checkpoint, saved)


def load_model(
    checkpoint: str | os.PathLike,
    classes: Sequence[int] | None = None,
    **changes: Any,
) -> tf_keras.Model:
    """Builds the model of a checkpoint that records its config, and restores all of it.

    Args:
        checkpoint: As `init_checkpoint` of `restore`, but not of Keras Applications.
        classes: Indices of the classes whose logits the model gives, in this order; by
            default all. A softmax is then over these alone.
        **changes: Fields of `ModelConfig` to change. No variable may depend on them;
            size is such a field.

    Raises:
        ValueError, OSError: See `restore`; also if the checkpoint records no config or
            lacks a part of the model.
    """
    with open_checkpoint(checkpoint) as saved:
        if saved.config is None:
            raise ValueError(
                f"{checkpoint} records no config: restore it into a model that is built"
                " from the config it was trained with, and save that model."
            )
        if classes is not None:
            _check_several(classes, saved.config)
            changes["num_classes"] = len(classes)
        model = build_model(dataclasses.replace(saved.config, **changes))
        restored = _restore(model, checkpoint, saved, classes)
    if restored.own:
        raise ValueError(f"{checkpoint} lacks a part of its model: {restored.message}")
    return model


def _check_several(classes, config):
    if len(classes) == 1 and not config.has_several_labels:
        raise ValueError(
            "One class is chosen, and a softmax over it alone is always 1: choose at"
            " least two."
        )


def recorded_config(init_checkpoint: str | os.PathLike) -> ModelConfig | None:
    """Returns the config that a checkpoint records, None if it records none.

    Args:
        init_checkpoint: A name or path, as for `restore`.
    """
    if is_keras_weights(init_checkpoint):
        return None
    with open_checkpoint(init_checkpoint) as saved:
        return saved.config


def _restore(model, init_checkpoint, saved, classes=None):
    config = model.config
    # The classifier in the checkpoint has all classes.
    whole = config
    if classes is not None:
        whole = dataclasses.replace(config, num_classes=saved.config.num_classes)
    if saved.config:
        _check_same_network(init_checkpoint, saved.config.backbone, config.backbone)
    backbone = match_checkpoint(saved, config, ("backbone",))
    if backbone.differences:
        raise ValueError(
            f"{init_checkpoint} does not hold this model's backbone,"
            f" {describe(config.backbone)}:\n{backbone.table()}\n"
            f"It {_what(saved)}"
        )
    if saved.config:
        try:
            check_backbone(saved.config, config, ignored=("conv_type",))
        except ValueError as error:
            raise ValueError(f"{init_checkpoint}: {error}") from None
    keys = backbone.matched | _matching_head(saved, whole)
    layout, stored = model_layout(config), model_layout(whole)
    values = {
        name: saved.value(key).reshape(stored[name]) for name, key in keys.items()
    }
    if classes is not None:
        for name in values:
            if name.startswith(_CLASSIFIER):
                values[name] = values[name][..., list(classes)]
    _check_complete(model, layout)
    assign(model, values)
    source = f"{init_checkpoint} ({os.path.basename(saved.prefix)})"
    remarks = [
        *_gate_remark(saved, config),
        *_implementation_remark(saved, config),
        *_fit_remark(saved, config),
    ]
    return _report(source, config, tuple(values), *remarks)


def _check_same_network(init_checkpoint, saved, built):
    """Raises a ValueError if 3-D ResNets of a family or implementations differ."""
    if len(saved.family.implementations) == 1 or saved.family != built.family:
        return
    settings = [
        f"task.model.backbone.{name}={getattr(saved, name)}"
        for name in ("model_id", "implementation")
        if getattr(saved, name) != getattr(built, name)
    ]
    if settings:
        raise ValueError(
            f"{init_checkpoint} holds {describe(saved)}, and the model's backbone is"
            f" {describe(built)}: set {', '.join(settings)}, or give another"
            " checkpoint."
        )


def _what(saved):
    try:
        return f"is {describe(identify(saved).backbone)}."
    except ValueError as error:
        return str(error)


def _matching_head(saved, config):
    """Returns the checkpoint's keys of the head's variables that fit the model."""
    if not saved.has("head"):
        return {}
    if saved.config and saved.config.head.function != config.head.function:
        return {}
    match = match_checkpoint(saved, config, ("affine", "head"))
    classifier = {n for n in match.reshaped if n.startswith(_CLASSIFIER)}
    if match.differences > len(classifier):
        return {}
    return {
        name: key
        for name, key in match.matched.items()
        if not (classifier and name.startswith(_CLASSIFIER))
    }


def _check_complete(model, layout):
    known = {id(variable) for variable in find_variables(model, layout).values()}
    unknown = [w.name for w in model.backbone.weights if id(w) not in known]
    if unknown:
        raise ValueError(
            "The installed Model Garden's backbone has unknown variables:"
            f" {', '.join(unknown[:5])}; use tf-models-official 2.20."
        )


def _gate_remark(saved, config):
    """Yields a remark on a MoViNet's gate if the checkpoint does not record it."""
    gate = config.backbone.gating_activation
    is_choice = "gating_activation" in config.backbone.family.choices
    if is_choice and not saved.config and gate.startswith("hard_sigmoid"):
        yield (
            f"the gating activation is not recorded ({GATES_EXPLAINED}); the model's is"
            f" {gate}"
        )


def _implementation_remark(saved, config):
    """Yields a remark if only the model says that weights come from elsewhere."""
    implementation = config.backbone.implementation
    if not saved.config and implementation != TENSORFLOW:
        yield (
            "the implementation that the weights were trained with is not recorded; the"
            f" model's is {implementation}"
        )


def _fit_remark(saved, config):
    """Yields a remark if the checkpoint's model was trained with another frame_fit."""
    # The Model Garden's checkpoints record no config; it trains with this fit.
    trained = saved.config.frame_fit if saved.config else SHORT_SIDE
    if trained != config.frame_fit:
        yield (
            f"it was trained with frame_fit {trained}, but this model prepares frames"
            f" with {config.frame_fit}"
        )


def _report(source, config, names, *remarks):
    own = tuple(name for name in model_layout(config) if name not in set(names))
    count = sum(name.startswith("backbone/") for name in names)
    text = [f"{source}: restored all {count} variables of the backbone"]
    if not own:
        text.append(f"the head with its classifier of {config.num_classes} classes too")
    elif len(names) > count:
        text.append(
            "the head too, but for its classifier: the model keeps its own of"
            f" {config.num_classes} classes"
        )
    else:
        text.append(
            f"no head that fits: the model keeps its own {config.head.type} head of"
            f" {config.num_classes} classes"
        )
    message = "; ".join([*text, *remarks]) + "."
    logging.log(logging.WARNING if own or remarks else logging.INFO, "%s", message)
    return Restored(names, own, message)
