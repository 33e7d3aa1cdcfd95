"""Orbit's controller, with evaluations at the same steps after a kill."""

import logging
import math
import time
from collections.abc import Callable
from typing import Any

import orbit


class OutOfTime(Exception):
    """Work stopped because its time was over; what was begun can be resumed."""


class Controller(orbit.Controller):
    """Evaluates at multiples of the interval, and may stop before the last step.

    Args:
        thaw_step: The step at which more variables begin to train, where a new loop of
            steps begins, too.
        should_stop: Function from a step, after its evaluation, to whether to stop.
        stop_at: The Unix time in seconds from which on no loop of steps begins, except
            the first one, so that every start gets on.
        **kwargs: See `orbit.Controller`.
    """

    def __init__(
        self,
        *,
        thaw_step: int,
        should_stop: Callable[[int], bool],
        stop_at: float = math.inf,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self._thaw_step = thaw_step
        self._should_stop = should_stop
        self._stop_at = stop_at
        self._has_trained = False

    def train(self, steps: int, checkpoint_at_completion: bool = True) -> None:
        """Trains until a step.

        Raises:
            OutOfTime: If the time is over. The checkpoint is saved.
        """
        if int(self.global_step.numpy()) < self._thaw_step < steps:
            super().train(self._thaw_step, checkpoint_at_completion=False)
        super().train(steps, checkpoint_at_completion)

    def _train_n_steps(self, num_steps):
        if self._has_trained and time.time() >= self._stop_at:
            self._maybe_save_checkpoint(check_interval=False)
            self._sync_on_async_checkpointing()
            raise OutOfTime(
                f"The time was over at step {int(self.global_step.numpy())}."
            )
        super()._train_n_steps(num_steps)
        self._has_trained = True

    def train_and_evaluate(
        self, train_steps: int, eval_steps: int = -1, eval_interval: int | None = None
    ) -> dict[str, Any] | None:
        """Trains until a step, and returns the output of the last evaluation."""
        interval = eval_interval or train_steps
        step = int(self.global_step.numpy())
        output = None
        if step and (step % interval == 0 or step >= train_steps):
            # A kill may have come between training and evaluation.
            output = self.evaluate(eval_steps)
        while step < train_steps and not (step and self._should_stop(step)):
            target = min(step - step % interval + interval, train_steps)
            self.train(target, checkpoint_at_completion=False)
            output = self.evaluate(eval_steps)
            step = int(self.global_step.numpy())
        if step < train_steps:
            logging.warning(
                "Training stops early, at step %d: validation has stopped improving.",
                step,
            )
        self._maybe_save_checkpoint(check_interval=False)
        self._sync_on_async_checkpointing()
        return output
