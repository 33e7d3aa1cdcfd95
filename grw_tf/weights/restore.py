"""Starting a model from a checkpoint: its backbone strictly, its head where it fits."""

import dataclasses
import logging
import os

from grw_tf.frames.geometry import SHORT_SIDE
from grw_tf.models import ModelConfig, build_model
from grw_tf.models.config_record import HEAD_FUNCTION, check_backbone
from grw_tf.weights.checkpoint_match import compare
from grw_tf.weights.identify import GATES_EXPLAINED, describe, identify
from grw_tf.weights.keras_applications import is_keras_weights, read_keras_weights
from grw_tf.weights.model_variables import assign, find_variable, model_layout
from grw_tf.weights.saved_variables import open_checkpoint

_CLASSIFIER = "head/_classifier"


@dataclasses.dataclass(frozen=True)
class Restored:
    """What came from a checkpoint.

    Attributes:
        names: Of the restored variables, as in `grw_tf.weights.model_variables`.
        own: Names of the head's variables that stay as the model had them.
        message: All of it in words.
    """

    names: tuple[str, ...]
    own: tuple[str, ...]
    message: str


def restore(model, init_checkpoint) -> Restored:
    """Restores the backbone of a model entirely, and of its head what fits.

    The head comes too if it is of the same kind and sizes; only its classifier, the
    last layer, stays the model's own where the number of classes differs. Weights are
    converted between `2plus1d` and `3d_2plus1d`, as by the Model Garden's
    `convert_3d_2plus1d`. Smoothing layers keep their own state. Nothing of the model
    changes if anything is refused.

    Args:
        model: A model of `build_model`.
        init_checkpoint: Name of an official checkpoint ("movinet_a0_stream"), or path
            of one: prefix, folder or .tar.gz, local or gs://. Of a MobileNetV3 also
            "imagenet", Keras Applications' own weights, or path of such an .h5 file.

    Returns:
        A `Restored`; its message is logged, as a warning if the model keeps some own.

    Raises:
        ValueError: If there is no such checkpoint, if it lacks any variable of the
            backbone or has others (with a table of them), or if it is known to have
            been trained as another function, as with another gating activation.
        OSError: If it cannot be fetched or read.
    """
    if is_keras_weights(init_checkpoint):
        values = read_keras_weights(model, init_checkpoint)
        assign(model, values)
        return _report(init_checkpoint, model.config, tuple(values))
    with open_checkpoint(init_checkpoint) as saved:
        return _restore(model, init_checkpoint, saved)


def load_model(checkpoint, **changes):
    """Builds the model of a checkpoint that records its config, and restores it whole.

    Args:
        checkpoint: As `init_checkpoint` of `restore`, but not of Keras Applications.
        **changes: Fields of `ModelConfig` to change that no variable depends on, as
            size.

    Returns:
        The model, as of `build_model`.

    Raises:
        ValueError: As `restore`, or if the checkpoint records no config or lacks a
            part.
        OSError: As `restore`.
    """
    with open_checkpoint(checkpoint) as saved:
        if saved.config is None:
            raise ValueError(
                f"{checkpoint} records no config: restore it into a model of the config"
                " it was trained with, and save that."
            )
        model = build_model(dataclasses.replace(saved.config, **changes))
        restored = _restore(model, checkpoint, saved)
    if restored.own:
        raise ValueError(f"{checkpoint} is of no whole model: {restored.message}")
    return model


def recorded_config(init_checkpoint) -> ModelConfig | None:
    """Returns the config that a checkpoint records, None if it records none.

    Args:
        init_checkpoint: As of `restore`.

    Raises:
        ValueError, OSError: As `restore`.
    """
    if is_keras_weights(init_checkpoint):
        return None
    with open_checkpoint(init_checkpoint) as saved:
        return saved.config


def _restore(model, init_checkpoint, saved):
    config = model.config
    backbone = compare(saved, config, ("backbone",))
    if backbone.differences:
        raise ValueError(
            f"{init_checkpoint} does not hold this model's backbone,"
            f" {describe(config.backbone)}:\n{backbone.table()}\n"
            f"It is {_what(saved)}"
        )
    if saved.config:
        try:
            check_backbone(saved.config, config, ignored=("conv_type",))
        except ValueError as error:
            raise ValueError(f"{init_checkpoint}: {error}") from None
    keys = backbone.matched | _matching_head(saved, config)
    layout = model_layout(config)
    values = {
        name: saved.value(key).reshape(layout[name]) for name, key in keys.items()
    }
    _check_complete(model, layout)
    assign(model, values)
    source = f"{init_checkpoint} ({os.path.basename(saved.prefix)})"
    remarks = *_gate_remark(saved, config), *_fit_remark(saved, config)
    return _report(source, config, tuple(values), *remarks)


def _what(saved):
    try:
        return f"{describe(identify(saved).backbone)}."
    except ValueError as error:
        return f"of {error}"


def _matching_head(saved, config):
    """Returns the checkpoint's keys of the head's variables that can come along."""
    if not saved.has("head"):
        return {}
    if saved.config and any(
        getattr(saved.config.head, field) != getattr(config.head, field)
        for field in HEAD_FUNCTION
    ):
        return {}
    comparison = compare(saved, config, ("affine", "head"))
    classifier = {n for n in comparison.reshaped if n.startswith(_CLASSIFIER)}
    if comparison.differences > len(classifier):
        return {}
    return {
        name: key
        for name, key in comparison.matched.items()
        if not (classifier and name.startswith(_CLASSIFIER))
    }


def _check_complete(model, layout):
    known = {id(find_variable(model, name)) for name in layout}
    unknown = [w.name for w in model.backbone.weights if id(w) not in known]
    if unknown:
        raise ValueError(
            "This Model Garden's backbone has variables that no known checkpoint has:"
            f" {', '.join(unknown[:5])}; use tf-models-official 2.20."
        )


def _gate_remark(saved, config):
    """Yields what to say of a MoViNet's gate if the checkpoint does not record it."""
    gate = config.backbone.gating_activation
    known = saved.config or config.backbone.family != "movinet"
    if not known and gate.startswith("hard_sigmoid"):
        yield (
            f"the gating activation is not recorded ({GATES_EXPLAINED}); the model's is"
            f" {gate}"
        )


def _fit_remark(saved, config):
    """Yields what to say if the checkpoint's model saw frames laid out otherwise."""
    # The Model Garden, whose checkpoints record no config, trains with this.
    trained = saved.config.frame_fit if saved.config else SHORT_SIDE
    if trained != config.frame_fit:
        yield (
            f"it was trained with frame_fit {trained}, and this model prepares frames"
            f" by {config.frame_fit}"
        )


def _report(source, config, names, *remarks):
    own = tuple(name for name in model_layout(config) if name not in set(names))
    count = sum(name.startswith("backbone/") for name in names)
    text = [f"{source}: all {count} variables of the backbone came"]
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
