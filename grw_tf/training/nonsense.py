"""What stops a training whose numbers are none, before they are saved."""

import math

import tensorflow as tf

_SHOWN = 32


class StopAtNonsense:
    """An action of `orbit.Controller`: stops at a loss or weights that are no numbers.

    Args:
      trainer: a `Trainer`.

    Raises:
      ValueError: with the step, the learning rates and the clips of the batch.
    """

    def __init__(self, trainer):
        self._trainer = trainer

    def __call__(self, output):
        loss = float(output["training_loss"])
        step = self._trainer.bad_step
        if not math.isfinite(loss):
            raise ValueError(f"The loss is {loss}" + explanation(self._trainer, step))
        if not _all_finite(self._trainer.model.variables):
            raise ValueError(
                "Weights are no longer finite" + explanation(self._trainer, None)
            )


def explanation(trainer, step=None):
    """Returns where training went wrong, and what to do, as the end of a sentence.

    Args:
      trainer: a `Trainer`.
      step: how many steps were done before the bad one; None if it is one of the last
        loop.
    """
    rates = ", ".join(
        f"learning_rate_{group} {float(rate):.3g}"
        for group, rate in trainer.learning_rates().items()
    )
    clips = ""
    if step is not None:
        names = trainer.task.names_of_step(step)
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        clips = f", on the clips {', '.join(names[:_SHOWN])}{more}"
    when = int(trainer.global_step.numpy()) if step is None else step + 1
    return (
        f" at step {when}, {rates}{clips}. The checkpoint before it is kept: lower the"
        " learning rates or set trainer.optimizer_config.clip_norm, and run again."
    )


@tf.function
def _all_finite(variables):
    return tf.reduce_all(
        [
            tf.reduce_all(tf.math.is_finite(variable))
            for variable in variables
            if variable.dtype.is_floating
        ]
    )
