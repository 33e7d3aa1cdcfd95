"""The progress bar of training, and the table of results at its end."""

from typing import Any

import tqdm

from grw_tf.common.text_table import text_table


class Progress:
    """An action of `orbit.Controller` that shows steps, clips/s and the time left."""

    def __init__(self, trainer: Any, train_steps: int):
        self._trainer = trainer
        self._train_steps = train_steps
        self._bar = None

    def __call__(self, output: dict[str, Any]) -> None:
        """Shows the output of a loop of steps."""
        step = int(self._trainer.global_step.numpy())
        if self._bar is None:
            # The first loop is slower, because it traces the step.
            self._bar = tqdm.tqdm(
                desc="Training", unit="step", total=self._train_steps, initial=step
            )
            return
        self._bar.update(step - self._bar.n)
        self._bar.set_postfix_str(
            f"loss {float(output['training_loss']):.4g},"
            f" {output['clips_per_second']:.3g} clips/s"
        )


def results_table(output: dict[str, Any]) -> str:
    """Returns the results of an evaluation as lines of name and value."""
    rows = [(name, f"{float(value):.4g}") for name, value in sorted(output.items())]
    return text_table(rows, "<")
