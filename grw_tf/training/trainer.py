"""The Model Garden's trainer, with the logs of this project's models."""

from official.core import base_trainer

from grw_tf.optimization.two_rates import grouped


class Trainer(base_trainer.Trainer):
    """Logs each group's learning rate, and smoothing's metrics in training only.

    Smoothing is silent in validation, where its metrics would be logged as 0.

    Args: see `official.core.base_trainer.Trainer`.
    """

    def __init__(self, config, task, model, optimizer, train, evaluate, **kwargs):
        super().__init__(config, task, model, optimizer, train, evaluate, **kwargs)
        if evaluate:
            silent = {id(metric) for metric in model.metrics}
            self._validation_metrics = [
                metric
                for metric in self._validation_metrics
                if id(metric) not in silent
            ]

    def train_loop_end(self):
        logs = super().train_loop_end()
        del logs["learning_rate"]
        for group, rate in grouped(self.optimizer).learning_rates().items():
            logs[f"learning_rate_{group}"] = rate
        return logs
