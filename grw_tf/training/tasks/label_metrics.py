"""Metrics of models with several labels a clip, over all clips of an evaluation.

Scores are counted in bins a fiftieth of a logit wide, so that the metrics need no more
memory for more clips, and replicas can add their counts.
"""

from typing import Any

import tensorflow as tf
import tf_keras

_MOST_LOGIT = 12.0
# Even, so that 0.5 is an edge.
_BINS = 1200


class ScoreHistogram(tf_keras.metrics.Metric):
    """Clip counts by score, `[2, num_classes, bins]`: without and with each class.

    Args:
        num_classes: Number of classes.
        name: Name of the metric.
    """

    def __init__(self, num_classes: int, name: str = "score_histogram"):
        super().__init__(name)
        self._classes = num_classes
        self._counts = self.add_weight(
            "counts", (2, num_classes, _BINS), initializer="zeros"
        )

    def update_state(
        self, labels: Any, outputs: tf.Tensor, sample_weight: Any = None
    ) -> None:
        """Counts the clips of a batch; sample weights are not supported.

        Labels are in 0..1 and outputs are scores in 0..1, both `[batch, num_classes]`.
        A mixed label counts in part as each.
        """
        del sample_weight
        labels = tf.cast(labels, self._counts.dtype)
        scores = tf.cast(outputs, self._counts.dtype)
        logits = tf.math.log(scores) - tf.math.log1p(-scores)
        # The loss of such an output ends the training.
        logits = tf.where(tf.math.is_nan(logits), -_MOST_LOGIT, logits)
        place = (logits + _MOST_LOGIT) * (_BINS / (2 * _MOST_LOGIT))
        # In between, because infinities are no integers.
        bins = tf.cast(tf.clip_by_value(place, 0.0, _BINS - 1.0), tf.int32)
        classes = tf.broadcast_to(tf.range(self._classes), tf.shape(bins))
        shape = self._counts.shape[1:]
        places = tf.stack([classes, bins], axis=-1)
        with_class, without = (
            tf.scatter_nd(places, weights, shape) for weights in (labels, 1.0 - labels)
        )
        self._counts.assign_add(tf.stack([without, with_class]))

    def reset_state(self) -> None:
        """Sets all counts to 0."""
        self._counts.assign(tf.zeros_like(self._counts))

    def result(self) -> tf.Tensor:
        """Returns the counts."""
        return tf.identity(self._counts)

    def _true_and_named(self):
        """Returns how many clips score in a bin or above: with a class, and in all."""
        upwards = tf.cumsum(self._counts, axis=-1, reverse=True)
        return upwards[1], tf.reduce_sum(upwards, axis=0)


class AveragePrecisions(ScoreHistogram):
    """The average precision of each class, `[num_classes]`; NaN without clips of it.

    It equals scikit-learn's `average_precision_score` of the scores' bins.
    """

    def __init__(self, num_classes: int, name: str = "average_precisions"):
        super().__init__(num_classes, name)

    def result(self) -> tf.Tensor:
        """Returns the average precisions."""
        return self._averages()

    def _averages(self):
        true, named = self._true_and_named()
        precision = tf.math.divide_no_nan(true, named)
        found = self._counts[1]
        return tf.reduce_sum(found * precision, axis=-1) / tf.reduce_sum(found, axis=-1)


class MeanAveragePrecision(AveragePrecisions):
    """The mean average precision (mAP) over the classes that have clips."""

    def __init__(self, num_classes: int, name: str = "mean_average_precision"):
        super().__init__(num_classes, name)

    def result(self) -> tf.Tensor:
        """Returns the mAP, a scalar; 0 without clips of any class."""
        each = self._averages()
        known = tf.math.is_finite(each)
        total = tf.reduce_sum(tf.where(known, each, 0.0))
        return tf.math.divide_no_nan(
            total, tf.math.count_nonzero(known, dtype=tf.float32)
        )


class BestThresholds(ScoreHistogram):
    """The score of each class from which naming it gives the best F1, `[num_classes]`.

    It lies in the middle between the lowest bin that is named and the next one below
    that has clips. A class without clips gets NaN.
    """

    def __init__(self, num_classes: int, name: str = "best_thresholds"):
        super().__init__(num_classes, name)

    def result(self) -> tf.Tensor:
        """Returns the thresholds."""
        true, named = self._true_and_named()
        there = tf.reduce_sum(self._counts[1], axis=-1, keepdims=True)
        f1 = tf.math.divide_no_nan(2 * true, named + there)
        bins = tf.range(_BINS)
        filled = tf.reduce_sum(self._counts, axis=0) > 0
        # The highest of equally good ones names the fewest clips.
        best = tf.reduce_max(f1, axis=-1, keepdims=True)
        lowest = tf.reduce_max(
            tf.where((f1 >= best) & filled, bins, 0), axis=-1, keepdims=True
        )
        below = tf.reduce_max(
            tf.where(filled & (bins < lowest), bins, -1), axis=-1, keepdims=True
        )
        middle = tf.cast(lowest + tf.maximum(below, 0) + 1, tf.float32) / 2
        logit = middle * (2 * _MOST_LOGIT / _BINS) - _MOST_LOGIT
        thresholds = tf.where(there > 0, tf.sigmoid(logit), float("nan"))
        return tf.squeeze(thresholds, axis=-1)


class LabelF1(tf_keras.metrics.Metric):
    """F1 of the classes whose scores are at least 0.5.

    It equals scikit-learn's `f1_score` with an average over all decisions ("micro"), or
    over the classes that occur or are named ("macro").

    Args:
        num_classes: Number of classes.
        average: "micro" or "macro".
    """

    def __init__(self, num_classes: int, average: str):
        super().__init__(f"{average}_f1")
        self._micro = average == "micro"
        # Right, and named or there, each counted.
        self._counts = self.add_weight("counts", (2, num_classes), initializer="zeros")

    def update_state(
        self, labels: Any, outputs: tf.Tensor, sample_weight: Any = None
    ) -> None:
        """Counts a batch; see `ScoreHistogram`."""
        del sample_weight
        labels = tf.cast(labels, self._counts.dtype)
        named = tf.cast(outputs >= 0.5, self._counts.dtype)
        self._counts.assign_add(
            tf.reduce_sum(tf.stack([labels * named, labels + named]), axis=1)
        )

    def reset_state(self) -> None:
        """Sets all counts to 0."""
        self._counts.assign(tf.zeros_like(self._counts))

    def result(self) -> tf.Tensor:
        """Returns the F1, a scalar."""
        right, either = tf.unstack(self._counts)
        if self._micro:
            right, either = tf.reduce_sum(right), tf.reduce_sum(either)
            return tf.math.divide_no_nan(2 * right, either)
        f1 = tf.math.divide_no_nan(2 * right, either)
        seen = tf.math.count_nonzero(either, dtype=f1.dtype)
        return tf.math.divide_no_nan(tf.reduce_sum(f1), seen)
