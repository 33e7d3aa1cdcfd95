"""What training shows after each loop of steps, and what stops it."""

import math

import tqdm


class Progress:
    """An action of `orbit.Controller`: a bar of steps, their rate and the time left.

    Args:
      trainer: the trainer, whose `global_step` counts.
      train_steps: how many steps there are.
      batch_size: clips of a step over all replicas.
    """

    def __init__(self, trainer, train_steps, batch_size):
        self._trainer = trainer
        self._train_steps = train_steps
        self._batch_size = batch_size
        self._bar = None

    def __call__(self, output):
        step = int(self._trainer.global_step)
        if self._bar is None:
            # The first loop, which traces the step, is not like the others.
            self._bar = tqdm.tqdm(
                desc="Training", unit="step", total=self._train_steps, initial=step
            )
            return
        self._bar.update(step - self._bar.n)
        rate = self._bar.format_dict["rate"]
        clips = f"{rate * self._batch_size:.3g} clips/s" if rate else ""
        self._bar.set_postfix_str(f"loss {float(output['training_loss']):.4g}, {clips}")


class StopAtNonsense:
    """An action of `orbit.Controller`: stops before a loss that is no number is saved.

    Args:
      trainer: the trainer.

    Raises:
      ValueError: when the loss of a loop is not finite.
    """

    def __init__(self, trainer):
        self._trainer = trainer

    def __call__(self, output):
        loss = float(output["training_loss"])
        if not math.isfinite(loss):
            rates = ", ".join(
                f"{name} {float(value):.3g}"
                for name, value in output.items()
                if name.startswith("learning_rate")
            )
            raise ValueError(
                f"The loss is {loss} at step {int(self._trainer.global_step)},"
                f" {rates}. The checkpoint before it is kept: lower the learning rates"
                " or set trainer.optimizer_config.clip_norm, and run again."
            )
