"""The Model Garden's trainer, for this project's task."""

import logging
import time

import tensorflow as tf
import tf_keras
from official.core import base_trainer
from official.modeling import optimization

from grw_tf.figures.confusion_matrix import draw_confusion, figure_pixels
from grw_tf.training.optimization.two_rates import grouped
from grw_tf.training.recalibration import Recalibration
from grw_tf.training.step_random import draw_by_step
from grw_tf.training.tasks.metrics import recalls


class Trainer(base_trainer.Trainer):
    """Resumes to the bit, thaws the backbone, and logs what the task measures.

    Before it evaluates, it estimates batch statistics anew if the config says so, under
    the weights that are evaluated: their moving averages, if there are. Training's own
    are back after `put_back_statistics`, which follows what saves evaluated weights.

    In training each group's learning rate and the clips per second; in validation the
    recall of each class and an image of the confusion matrix, but no smoothing, which
    is silent there.

    Args: see `official.core.base_trainer.Trainer`; the task is a `Task`.

    Attributes:
        bad_step: Steps done before the first one of the last loop whose loss was no
            number, or None.
        validates: Whether it validates, rather than trains.
    """

    def __init__(self, config, task, model, optimizer, train, evaluate, **kwargs):
        super().__init__(config, task, model, optimizer, train, evaluate, **kwargs)
        # All slots, also of what is frozen yet, so that all checkpoints hold the same.
        grouped(optimizer).build(model.trainable_variables)
        self._train_loss = WatchedLoss(self.global_step)
        self._backbone_trains = task.freeze(0)
        self.bad_step = None
        self.validates = False
        self._training_seconds = 0.0
        clips = config.trainer.batch_norm_recalibration
        self._recalibration = clips and Recalibration(
            model,
            lambda: self.distribute_dataset(task.build_statistics_inputs, clips),
            self._tell_of_evaluation,
        )
        draw_by_step(model, task.task_config.seed, self.global_step)
        if evaluate:
            silent = {id(metric) for metric in model.metrics}
            self._validation_metrics = [
                metric
                for metric in self._validation_metrics
                if id(metric) not in silent
            ]

    def learning_rates(self):
        """Returns the learning rate of the next update, a scalar for each group."""
        return grouped(self.optimizer).learning_rates()

    def saved_variables(self):
        """Returns the variables of a checkpoint."""
        averages = self.optimizer.variables()
        return [*self.model.variables, *averages, *grouped(self.optimizer).weights]

    def train_loop_begin(self):
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

    def train_loop_end(self):
        # What follows resets it.
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

    def eval_begin(self):
        self.put_back_statistics()
        self.validates = True
        super().eval_begin()
        if self._recalibration:
            # What trained in the last step.
            self.task.freeze(max(int(self.global_step.numpy()) - 1, 0))
            self._recalibration.estimate(self._training_seconds)

    def _tell_of_evaluation(self, line):
        # As Orbit tells of evaluations.
        print(f" eval | step: {int(self.global_step.numpy()): 6d} | {line}")

    def put_back_statistics(self):
        """Gives training its own batch statistics back, bit for bit."""
        if not self._recalibration or not self._recalibration.is_in_force:
            return
        averages = isinstance(self.optimizer, optimization.ExponentialMovingAverage)
        # They belong to the averages, if there are.
        if averages:
            self.optimizer.swap_weights()
        self._recalibration.put_back()
        if averages:
            self.optimizer.swap_weights()

    def eval_end(self, aggregated_logs=None):
        logs = super().eval_end(aggregated_logs)
        counts = logs.pop("confusion_matrix").numpy()
        class_names = self.task.validation_source.class_names
        if self.task.task_config.metrics.use_per_class_recall:
            logs |= recalls(counts, class_names)
        pixels = figure_pixels(draw_confusion(counts, class_names))
        tf.summary.image("confusion_matrix", pixels[None], step=self.global_step)
        return logs


class WatchedLoss(tf_keras.metrics.Mean):
    """The mean loss of a loop, and the first step whose loss was no number.

    Args:
        step: Variable of the steps done before.
    """

    def __init__(self, step):
        super().__init__("training_loss", dtype=tf.float32)
        # Kept as a function, for what a metric resets are its variables.
        self._step = lambda: step
        self._bad_step = self.add_weight("bad_step", initializer="zeros")

    def update_state(self, values, sample_weight=None):
        is_bad = tf.logical_not(tf.reduce_all(tf.math.is_finite(values)))
        is_first = tf.logical_and(is_bad, self._bad_step == 0)
        this_step = tf.cast(self._step(), tf.float32) + 1
        self._bad_step.assign(tf.where(is_first, this_step, self._bad_step))
        return super().update_state(values, sample_weight)

    def first_bad_step(self):
        """Returns the steps done before the first bad one of this process, or None."""
        values = tf.distribute.get_strategy().experimental_local_results(self._bad_step)
        bad = [int(value) for value in values if value]
        return min(bad) - 1 if bad else None
