"""Estimates batch statistics on training clips before each evaluation."""

import time
from collections.abc import Callable

import tensorflow as tf
import tf_keras

from grw_tf.training.batch_statistics import (
    BatchStatistics,
    trained_batch_normalizations,
)


class Recalibration:
    """Estimates a model's batch statistics on request, and reports the time it takes.

    Frozen batch normalizations keep their statistics. If all are frozen, it reports
    that and does nothing.

    Args:
        model: The model.
        open_clips: Function that returns the dataset for `BatchStatistics.estimate`.
        report: Function that shows a line to the user.
    """

    def __init__(
        self,
        model: tf_keras.Model,
        open_clips: Callable[[], tf.data.Dataset],
        report: Callable[[str], None],
    ):
        self._model = model
        self._open_clips = open_clips
        self._report = report
        self._clips: tf.data.Dataset | None = None
        self._statistics: BatchStatistics | None = None
        self._seconds = 0.0

    def estimate(self, training_seconds: float) -> None:
        """Sets the statistics to estimates under the present weights.

        Args:
            training_seconds: How long this process has trained so far, without the time
                of estimates.
        """
        layers = trained_batch_normalizations(self._model)
        if not layers:
            self._report(
                "No batch normalization trains: all keep their statistics, and"
                " batch_norm_recalibration does nothing."
            )
            return
        began = time.monotonic()
        if self._clips is None:
            self._clips = self._open_clips()
        if self._statistics is None or self._statistics.layers != layers:
            self._statistics = BatchStatistics(self._model, layers)
        count = self._statistics.estimate(self._clips)
        seconds = time.monotonic() - began
        self._seconds += seconds
        share = self._seconds / (self._seconds + training_seconds)
        of_training = f" ({share:.0%} of the training time so far)"
        self._report(
            f"Estimated the statistics of {len(layers)} batch normalizations on"
            f" {count} training clips in {seconds:.1f} s"
            f"{of_training if training_seconds else ''}."
        )

    @property
    def is_in_force(self) -> bool:
        """Whether the statistics are estimates, which `put_back` would replace."""
        return self._statistics is not None and self._statistics.is_in_force

    def put_back(self) -> None:
        """Sets the statistics to their values before `estimate`, bit for bit."""
        if self._statistics is not None:
            self._statistics.put_back()
