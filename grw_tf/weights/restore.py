"""Starting a model from a checkpoint: its backbone strictly, its head where it fits."""

import dataclasses
import logging

from grw_tf.models.config_record import check_backbone
from grw_tf.weights.comparison import compare
from grw_tf.weights.identify import describe, identify
from grw_tf.weights.layout import find_variable, model_layout
from grw_tf.weights.saved_variables import open_checkpoint

_CLASSIFIER = "head/_classifier"


@dataclasses.dataclass(frozen=True)
class Restored:
    """What came from a checkpoint.

    Attributes:
      names: of the restored variables, as in `grw_tf.weights.layout`.
      new: names of the head's variables that start anew; empty if all came.
      message: all of it in words.
    """

    names: tuple[str, ...]
    new: tuple[str, ...]
    message: str


def restore(model, init_checkpoint) -> Restored:
    """Restores the backbone of a model entirely, and of its head what fits.

    The head comes too if it is of the same kind and sizes; only its classifier, the
    last layer, starts anew where the number of classes differs. (2+1)D weights are
    converted between `2plus1d` and `3d_2plus1d`, as by the Model Garden's
    `convert_3d_2plus1d`. Smoothing layers keep their own state. Nothing of the model
    changes if anything is refused.

    Args:
      model: a model of `build_model`.
      init_checkpoint: name of an official checkpoint ("movinet_a0_stream"), or path of
        one: prefix, folder or .tar.gz, local or gs://.

    Returns:
      A `Restored`; its message is logged, as a warning if anything starts anew.

    Raises:
      ValueError: if there is no such checkpoint, if it lacks any variable of the
        backbone or has others (with a table of them), or if it is known to have been
        trained as another function, as with another gating activation.
      OSError: if it cannot be fetched or read.
    """
    config = model.config
    with open_checkpoint(init_checkpoint) as saved:
        trained = saved.config
        backbone = compare(saved, config, ("backbone",))
        if backbone.differences:
            raise ValueError(
                f"{init_checkpoint} does not hold this model's backbone,"
                f" {describe(config.backbone)}:\n{backbone.table()}\n"
                f"It is {_what(saved)}"
            )
        if trained:
            check_backbone(trained, config, ignored=("conv_type",))
        keys = backbone.matched | _matching_head(saved, trained, config)
        layout = model_layout(config)
        values = {
            name: saved.value(key).reshape(layout[name]) for name, key in keys.items()
        }
    variables = {name: find_variable(model, name) for name in layout}
    _check_complete(model, variables)
    for name, value in values.items():
        variables[name].assign(value)
    return _report(init_checkpoint, config, trained, tuple(values), layout)


def _what(saved):
    try:
        return f"{describe(identify(saved).backbone)}."
    except ValueError as error:
        return f"of {error}"


def _matching_head(saved, trained, config):
    """Returns the checkpoint's keys of the head's variables that can come along."""
    if not saved.has("head") or (trained and not _same_kind(trained.head, config.head)):
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


def _same_kind(trained, built):
    return all(
        getattr(trained, field) == getattr(built, field)
        for field in ("type", "num_heads", "activation")
    )


def _check_complete(model, variables):
    known = {id(variable) for variable in variables.values()}
    unknown = [w.name for w in model.backbone.weights if id(w) not in known]
    if unknown:
        raise ValueError(
            "This Model Garden's backbone has variables that no known checkpoint has:"
            f" {', '.join(unknown[:5])}; use tf-models-official 2.20."
        )


def _report(init_checkpoint, config, trained, names, layout):
    new = tuple(name for name in layout if name not in set(names))
    count = sum(name.startswith("backbone/") for name in names)
    lines = [f"{init_checkpoint}: all {count} variables of the backbone restored"]
    if not new:
        lines.append(f"the head and its classifier of {config.num_classes} classes too")
    elif len(names) > count:
        lines.append(
            "the head too, but for its classifier, which starts anew with"
            f" {config.num_classes} classes"
        )
    else:
        lines.append(
            f"the {config.head.type} head of {config.num_classes} classes starts anew"
        )
    gate = config.backbone.gating_activation
    if not trained and gate.startswith("hard_sigmoid"):
        lines.append(
            f"it records no gating activation, and the model has {gate} (official and"
            " published stream weights: hard_sigmoid_keras; those trained with today's"
            " Model Garden: hard_sigmoid_relu6)"
        )
    message = "; ".join(lines) + "."
    logging.log(logging.WARNING if new else logging.INFO, "%s", message)
    return Restored(names, new, message)
