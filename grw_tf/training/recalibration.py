"""Batch statistics for evaluations in a training, estimated on its clips."""

import logging
import time

from grw_tf.training.batch_statistics import (
    BatchStatistics,
    trained_batch_normalizations,
)


class Recalibration:
    """Estimates a model's batch statistics whenever asked, and tells what it takes.

    Frozen batch normalisations keep their statistics. If none trains, it says so and
    does nothing.

    Args:
        model: A Keras model.
        open_clips: Function that returns the dataset that `BatchStatistics` takes.
        tell: Function of a line for the user; by default it logs.
    """

    def __init__(self, model, open_clips, tell=logging.info):
        self._model = model
        self._open_clips = open_clips
        self._tell = tell
        self._clips = None
        self._statistics = None
        self._seconds = 0.0

    def estimate(self, training_seconds):
        """Sets the statistics to estimates under the present weights.

        Args:
            training_seconds: How long this process has trained, without this.

        Raises:
            ValueError: As `BatchStatistics.estimate`.
        """
        layers = trained_batch_normalizations(self._model)
        if not layers:
            self._tell(
                "No batch normalisation trains: all keep their statistics, and"
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
        self._tell(
            f"Estimated the statistics of {len(layers)} batch normalisations on"
            f" {count} training clips in {seconds:.1f} s"
            f"{of_training if training_seconds else ''}."
        )

    @property
    def is_in_force(self):
        """Whether the statistics are estimates, which `put_back` would replace."""
        return self._statistics is not None and self._statistics.is_in_force

    def put_back(self):
        """Sets the statistics to what they were before `estimate`, bit for bit."""
        if self.is_in_force:
            self._statistics.put_back()
