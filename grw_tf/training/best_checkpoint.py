"""Keeps the checkpoint with the best validation, and stops training early."""

import json
import os
from typing import Any

import numpy as np
import orbit
import tensorflow as tf
from official.core import config_definitions as cfg
from official.core import train_utils


class BestCheckpoint(train_utils.BestCheckpointExporter):
    """Records a checkpoint as the best only after it is saved.

    A kill in between then leaves a record that matches the file.
    """

    def maybe_export_checkpoint(
        self,
        checkpoint: tf.train.Checkpoint,
        eval_logs: dict[str, Any],
        global_step: int,
        write_logs: bool = True,
    ) -> bool:
        """Saves a checkpoint if it is the best so far; returns whether it did."""
        exported = super().maybe_export_checkpoint(
            checkpoint, eval_logs, global_step, write_logs=False
        )
        if exported and write_logs:
            self.export_best_eval_metric(eval_logs, global_step)
        return exported

    def export_best_eval_metric(
        self, eval_logs: dict[str, Any], global_step: int
    ) -> None:
        """Writes the numbers of an evaluation, also those by class, as JSON.

        The Model Garden's method takes single numbers alone. A class without a number
        has null.
        """
        values = {
            name: np.asarray(orbit.utils.get_value(value))
            for name, value in eval_logs.items()
        }
        numbers: dict[str, Any] = {
            name: [None if np.isnan(each) else float(each) for each in value]
            if value.ndim
            else float(value)
            for name, value in values.items()
            # Not a confusion matrix.
            if value.ndim <= 1
        }
        numbers["best_ckpt_global_step"] = float(global_step)
        with tf.io.gfile.GFile(self.best_ckpt_logs_path, "w") as file:
            file.write(json.dumps(numbers, indent=4) + "\n")

    def step(self) -> int | None:
        """Returns the step of the best checkpoint, or None without one."""
        if not tf.io.gfile.exists(self.best_ckpt_logs_path):
            return None
        with tf.io.gfile.GFile(self.best_ckpt_logs_path) as file:
            return int(json.load(file)["best_ckpt_global_step"])


def best_checkpoint(
    trainer_config: cfg.TrainerConfig, folder: str
) -> BestCheckpoint | None:
    """Returns a `BestCheckpoint` in a folder, or None if the config keeps none."""
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
    """Decides that training ends after `patience` evaluations without a better one.

    It reads the best step from disk, so it survives kills. A patience of 0 never stops.
    Evaluations are `interval` steps apart.

    Raises:
        ValueError: If patience is below 0, or above 0 without a best checkpoint.
    """

    def __init__(self, best: BestCheckpoint | None, patience: int, interval: int):
        if patience < 0 or (patience and best is None):
            raise ValueError(
                f"trainer.early_stopping_patience is {patience}: it must be 0, or more"
                " with best_checkpoint_export_subdir and best_checkpoint_eval_metric."
            )
        self._best = best
        self._steps = patience * interval

    def __call__(self, step: int) -> bool:
        """Returns whether training ends at a step."""
        if self._best is None or not self._steps:
            return False
        best = self._best.step()
        return best is not None and step - best >= self._steps
