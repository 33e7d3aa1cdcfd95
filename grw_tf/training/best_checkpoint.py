"""The checkpoint that validates best, and training's end when none gets better."""

import json
import os

import tensorflow as tf
from official.core import train_utils


class BestCheckpoint(train_utils.BestCheckpointExporter):
    """Writes down that a checkpoint is the best after it is saved, not before.

    So none is missing after a kill in between.

    Args: see `official.core.train_utils.BestCheckpointExporter`.
    """

    def maybe_export_checkpoint(
        self, checkpoint, eval_logs, global_step, write_logs=True
    ):
        exported = super().maybe_export_checkpoint(
            checkpoint, eval_logs, global_step, write_logs=False
        )
        if exported and write_logs:
            self.export_best_eval_metric(eval_logs, global_step)
        return exported

    def step(self):
        """Returns the step of the best checkpoint, or None if there is none."""
        if not tf.io.gfile.exists(self.best_ckpt_logs_path):
            return None
        with tf.io.gfile.GFile(self.best_ckpt_logs_path) as file:
            return int(json.load(file)["best_ckpt_global_step"])


def best_checkpoint(trainer_config, folder):
    """Returns a `BestCheckpoint` in a folder, or None if the config wants none."""
    subfolder = trainer_config.best_checkpoint_export_subdir
    metric = trainer_config.best_checkpoint_eval_metric
    if not subfolder or not metric:
        return None
    return BestCheckpoint(
        os.path.join(folder, subfolder),
        metric,
        trainer_config.best_checkpoint_metric_comp,
    )


class EarlyStopping:
    """Says when enough evaluations in a row were no better than the best.

    It goes by what is on disk, and so survives kills.

    Args:
        best: A `BestCheckpoint`, or None.
        patience: How many evaluations; 0 for any number.
        interval: Steps between evaluations.

    Raises:
        ValueError: For patience without a best checkpoint, or below 0.
    """

    def __init__(self, best, patience, interval):
        if patience < 0 or patience and best is None:
            raise ValueError(
                f"trainer.early_stopping_patience is {patience}: it must be 0, or more"
                " with best_checkpoint_export_subdir and best_checkpoint_eval_metric."
            )
        self._best = best
        self._steps = patience * interval

    def __call__(self, step):
        """Returns whether training ends at a step."""
        best = self._best.step() if self._steps else None
        return best is not None and step - best >= self._steps
