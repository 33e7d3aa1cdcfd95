"""Stops training on a non-finite loss or weight, before saving."""

import math
from typing import Any

import tensorflow as tf

from grw_tf.common.first_few import first_few

_SHOWN = 32
_ADVICE = (
    "The checkpoint before it is kept: lower the learning rates or set"
    " trainer.optimizer_config.clip_norm, and run again."
)


class StopOnDivergence:
    """An action of `orbit.Controller` that stops a `Trainer` on a non-finite number.

    Raises:
        ValueError: When called, if the loss or a weight is not finite; with the step,
            the learning rates and, if known, the clips of the batch.
    """

    def __init__(self, trainer: Any):
        self._trainer = trainer

    def __call__(self, output: dict[str, Any]) -> None:
        """Checks the output of a loop of steps."""
        loss = float(output["training_loss"])
        if not math.isfinite(loss):
            place = _place(self._trainer, self._trainer.bad_step)
            raise ValueError(f"The loss is {loss} {place}. {_ADVICE}")
        if not _all_finite(self._trainer.model.variables):
            place = _place(self._trainer, None)
            raise ValueError(f"Weights are no longer finite {place}. {_ADVICE}")


def step_error_text(error: tf.errors.InvalidArgumentError, trainer: Any) -> str:
    """Returns one line about an error that TensorFlow raised in a `Trainer`'s step."""
    lines = [line.strip() for line in error.message.splitlines()]
    # Not the global step, which may be incremented before the rest of a step fails.
    step = None if trainer.validates else int(trainer.optimizer.iterations.numpy())
    if "JPEG" in error.message or "decode_image" in error.message:
        broken = trainer.task.broken_clips(step)
        if broken:
            return (
                f"A frame cannot be decoded in {first_few(broken, _SHOWN)}. The last"
                " checkpoint is kept: prepare the clips again or leave them out, and"
                " run again."
            )
    words = ("not finite", "A label is", "A clip has")
    telling = [line for line in lines if any(word in line for word in words)]
    reason = telling[0] if telling else " ".join(lines)
    if trainer.validates:
        return f"{reason}, in validation. The last checkpoint is kept."
    advice = _ADVICE if "not finite" in reason else "The last checkpoint is kept."
    return f"{reason} {_place(trainer, step)}. {advice}"


def _place(trainer, step):
    """Returns where training is as text; `step` is None if only the loop is known."""
    rates = ", ".join(
        f"learning_rate_{group} {float(rate):.3g}"
        for group, rate in trainer.learning_rates().items()
    )
    if step is None:
        return f"at step {int(trainer.global_step.numpy())}, {rates}"
    names = trainer.task.names_of_step(step)
    return f"at step {step + 1}, {rates}, on the clips {first_few(names, _SHOWN)}"


@tf.function
def _all_finite(variables):
    return tf.reduce_all(
        [
            tf.reduce_all(tf.math.is_finite(variable))
            for variable in variables
            if variable.dtype.is_floating
        ]
    )
