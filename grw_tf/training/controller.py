"""Orbit's controller, whose evaluations fall on the same steps after a kill."""

import logging

import orbit


class Controller(orbit.Controller):
    """Evaluates at multiples of the interval, and may end before the last step.

    Args:
        thaw_step: Step at which other variables begin to train, and so a loop of steps.
        should_stop: Function from a step, after its evaluation, to whether to end.
        **kwargs: Of `orbit.Controller`.
    """

    def __init__(self, *, thaw_step, should_stop, **kwargs):
        super().__init__(**kwargs)
        self._thaw_step = thaw_step
        self._should_stop = should_stop

    def train(self, steps, checkpoint_at_completion=True):
        if int(self.global_step.numpy()) < self._thaw_step < steps:
            super().train(self._thaw_step, checkpoint_at_completion=False)
        super().train(steps, checkpoint_at_completion)

    def train_and_evaluate(self, train_steps, eval_steps=-1, eval_interval=None):
        interval = eval_interval or train_steps
        step = int(self.global_step.numpy())
        output = None
        if step and (step % interval == 0 or step >= train_steps):
            # A kill may have come between its training and its evaluation.
            output = self.evaluate(eval_steps)
        while step < train_steps and not (step and self._should_stop(step)):
            target = min(step - step % interval + interval, train_steps)
            self.train(target, checkpoint_at_completion=False)
            output = self.evaluate(eval_steps)
            step = int(self.global_step.numpy())
        if step < train_steps:
            logging.warning("Training ends early, at step %d: no better since.", step)
        self._maybe_save_checkpoint(check_interval=False)
        self._sync_on_async_checkpointing()
        return output
