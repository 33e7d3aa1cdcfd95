"""What training shows after each loop of steps."""

import tqdm

from grw_tf.common.text_table import text_table


class Progress:
    """An action of `orbit.Controller`: a bar of steps, their rate and the time left.

    Args:
        trainer: The trainer, whose `global_step` counts.
        train_steps: How many steps there are.
    """

    def __init__(self, trainer, train_steps):
        self._trainer = trainer
        self._train_steps = train_steps
        self._bar = None

    def __call__(self, output):
        step = int(self._trainer.global_step.numpy())
        if self._bar is None:
            # The first loop, which traces the step, is not like the others.
            self._bar = tqdm.tqdm(
                desc="Training", unit="step", total=self._train_steps, initial=step
            )
            return
        self._bar.update(step - self._bar.n)
        self._bar.set_postfix_str(
            f"loss {float(output['training_loss']):.4g},"
            f" {output['clips_per_second']:.3g} clips/s"
        )


def results_table(output):
    """Returns the numbers of an evaluation as lines of name and value."""
    rows = [(name, f"{float(value):.4g}") for name, value in sorted(output.items())]
    return text_table(rows, "<")
