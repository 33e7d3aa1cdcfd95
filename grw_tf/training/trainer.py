"""The Model Garden's trainer for this project's task."""

import logging
import time
from typing import Any

import tensorflow as tf
import tf_keras
from official.core import base_trainer
from official.core import config_definitions as cfg
from official.modeling import optimization

from grw_tf.figures.confusion_matrix import draw_confusion, figure_pixels
from grw_tf.training.optimization.two_rates import grouped
from grw_tf.training.recalibration import Recalibration
from grw_tf.training.step_random import draw_by_step
from grw_tf.training.tasks.metrics import by_class, recalls
from grw_tf.training.tasks.video_classification import Task

NOT_SCALAR = {"confusion_matrix", "average_precisions", "best_thresholds"}
"""Names of the metrics of validation that are no single number."""


class Trainer(base_trainer.Trainer):
    """Resumes bit for bit, unfreezes the backbone, and logs what the task measures.

    If the config asks for it, batch statistics are estimated before each evaluation,
    under the weights that are evaluated (their moving averages, if there are any).
    `put_back_statistics` restores those of training; it is called after the evaluated
    weights are saved.

    Training logs the learning rate of each group and the clips per second. Validation
    logs the recall of each class and an image of the confusion matrix, but not
    smoothing, which does not act there. With several labels a clip, it logs the average
    precision of each class and the threshold of its score that gives the best F1; the
    record of the best checkpoint keeps both.

    For the arguments, see `official.core.base_trainer.Trainer`; the task is a `Task`.

    Attributes:
        bad_step: The number of steps before the first one of the last loop whose loss
            was not finite, or None.
        validates: Whether it validates rather than trains.
    """

    def __init__(
        self,
        config: cfg.ExperimentConfig,
        task: Task,
        model: tf_keras.Model,
        optimizer: tf_keras.optimizers.legacy.Optimizer,
        train: bool,
        evaluate: bool,
        **kwargs: Any,
    ):
        super().__init__(config, task, model, optimizer, train, evaluate, **kwargs)
        # All slots, even of frozen variables, so that all checkpoints hold the same.
        grouped(optimizer).build(model.trainable_variables)
        self._train_loss = WatchedLoss(self.global_step)
        self._backbone_trains = task.freeze(0)
        self.bad_step: int | None = None
        self.validates = False
        self._training_seconds = 0.0
        clips = config.trainer.batch_norm_recalibration
        self._recalibration = clips and Recalibration(
            model,
            lambda: self.distribute_dataset(task.build_statistics_inputs, clips),
            self._report,
        )
        draw_by_step(model, task.task_config.seed, self.global_step)
        if evaluate:
            silent = {id(metric) for metric in model.metrics}
            self._validation_metrics: list[tf_keras.metrics.Metric] = [
                m for m in self._validation_metrics if id(m) not in silent
            ]

    def learning_rates(self) -> dict[str, tf.Tensor]:
        """Returns the learning rate of the next update, a scalar for each group."""
        return grouped(self.optimizer).learning_rates()

    def saved_variables(self) -> list[tf.Variable]:
        """Returns the variables of a checkpoint."""
        averages = self.optimizer.variables()
        return [*self.model.variables, *averages, *grouped(self.optimizer).weights]

    def train_loop_begin(self) -> None:
        """Prepares a loop of training steps."""
        super().train_loop_begin()
        self.put_back_statistics()
        self.validates = False
        step = int(self.global_step.numpy())
        if step and self._train_iter is None:
            self.task.first_step = step
            self.train_dataset = self.distribute_dataset(
                self.task.build_inputs, self.config.task.train_data
            )
        trains = self.task.freeze(step)
        if trains != self._backbone_trains:
            logging.info("The backbone trains from step %d on.", step)
            self._train_loop_fn = None
        self._backbone_trains = trains
        self._began = time.monotonic(), step

    def train_loop_end(self) -> dict[str, Any]:
        """Returns the logs of a loop of training steps."""
        # The parent's method resets it.
        self.bad_step = self._train_loss.first_bad_step()
        logs = super().train_loop_end()
        del logs["learning_rate"]
        for group, rate in self.learning_rates().items():
            logs[f"learning_rate_{group}"] = rate
        began, step = self._began
        clips = (int(self.global_step.numpy()) - step) * (
            self.config.task.train_data.global_batch_size
        )
        seconds = time.monotonic() - began
        self._training_seconds += seconds
        logs["clips_per_second"] = clips / seconds
        return logs

    def eval_begin(self) -> None:
        """Prepares an evaluation."""
        self.put_back_statistics()
        self.validates = True
        super().eval_begin()
        if self._recalibration:
            # Layers count as trained if the last step trained them.
            self.task.freeze(max(int(self.global_step.numpy()) - 1, 0))
            self._recalibration.estimate(self._training_seconds)

    def _report(self, line):
        # In the style of Orbit's lines about evaluations.
        print(f" eval | step: {int(self.global_step.numpy()): 6d} | {line}")

    def put_back_statistics(self) -> None:
        """Restores the batch statistics of training, bit for bit."""
        if not self._recalibration or not self._recalibration.is_in_force:
            return
        averages = isinstance(self.optimizer, optimization.ExponentialMovingAverage)
        # The estimates belong to the averaged weights, if there are any.
        if averages:
            self.optimizer.swap_weights()
        self._recalibration.put_back()
        if averages:
            self.optimizer.swap_weights()

    def eval_end(self, aggregated_logs: Any = None) -> dict[str, Any]:
        """Returns the logs of an evaluation."""
        logs = super().eval_end(aggregated_logs)
        class_names = self.task.validation_source.class_names
        if self.task.model_config.has_several_labels:
            for name in ("average_precision", "best_threshold"):
                found = logs.pop(f"{name}s").numpy()
                if self.task.task_config.metrics.use_per_class_recall:
                    logs |= by_class(name, found, class_names)
            return logs
        counts = logs.pop("confusion_matrix").numpy()
        if self.task.task_config.metrics.use_per_class_recall:
            logs |= recalls(counts, class_names)
        pixels = figure_pixels(draw_confusion(counts, class_names))
        tf.summary.image("confusion_matrix", pixels[None], step=self.global_step)
        return logs


class WatchedLoss(tf_keras.metrics.Mean):
    """The mean loss of a loop, and its first step whose loss was not finite.

    Args:
        step: The variable that counts the steps done.
    """

    def __init__(self, step: tf.Variable):
        super().__init__("training_loss", dtype=tf.float32)
        # A function, because a metric resets the variables that it holds.
        self._step = lambda: step
        self._bad_step = self.add_weight("bad_step", initializer="zeros")

    def update_state(self, values: tf.Tensor, sample_weight: Any = None) -> Any:
        """Adds the loss of a step."""
        is_bad = tf.logical_not(tf.reduce_all(tf.math.is_finite(values)))
        is_first = tf.logical_and(is_bad, self._bad_step == 0)
        this_step = tf.cast(self._step(), tf.float32) + 1
        self._bad_step.assign(tf.where(is_first, this_step, self._bad_step))
        return super().update_state(values, sample_weight)

    def first_bad_step(self) -> int | None:
        """Returns the number of steps before this process' first bad one, or None."""
        values = tf.distribute.get_strategy().experimental_local_results(self._bad_step)
        bad = [int(value) for value in values if value]
        return min(bad) - 1 if bad else None
