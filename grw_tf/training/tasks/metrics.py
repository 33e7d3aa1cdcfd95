"""Metrics over all predictions of an evaluation."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras


class ConfusionMatrix(tf_keras.metrics.Metric):
    """Clip counts `[num_classes, num_classes]`: true classes by predicted classes."""

    def __init__(self, num_classes: int, name: str = "confusion_matrix"):
        super().__init__(name)
        self._counts = self.add_weight(
            "counts", (num_classes, num_classes), initializer="zeros"
        )

    def update_state(
        self, labels: Any, outputs: tf.Tensor, sample_weight: Any = None
    ) -> None:
        """Counts the clips of a batch; sample weights are not supported.

        Labels are one-hot `[batch, num_classes]`, or indices `[batch]` or `[batch, 1]`;
        outputs are scores `[batch, num_classes]`.
        """
        del sample_weight
        labels = tf.convert_to_tensor(labels)
        if labels.dtype.is_floating:
            labels = tf.argmax(labels, axis=-1)
        self._counts.assign_add(
            tf.math.confusion_matrix(
                tf.reshape(labels, (-1,)),
                tf.argmax(outputs, axis=-1),
                self._counts.shape[0],
                dtype=self._counts.dtype,
            )
        )

    def reset_state(self) -> None:
        """Sets all counts to 0."""
        self._counts.assign(tf.zeros_like(self._counts))

    def result(self) -> tf.Tensor:
        """Returns the counts."""
        return tf.identity(self._counts)


class MacroF1(ConfusionMatrix):
    """The mean F1 over the classes that occur or are predicted.

    It equals scikit-learn's `f1_score(average="macro")`.
    """

    def __init__(self, num_classes: int, name: str = "macro_f1"):
        super().__init__(num_classes, name)

    def result(self) -> tf.Tensor:
        """Returns the mean F1, a scalar."""
        there, predicted = (tf.reduce_sum(self._counts, axis) for axis in (1, 0))
        f1 = tf.math.divide_no_nan(
            2 * tf.linalg.diag_part(self._counts), there + predicted
        )
        seen = tf.math.count_nonzero(there + predicted, dtype=f1.dtype)
        return tf.math.divide_no_nan(tf.reduce_sum(f1), seen)


def recalls(counts: np.ndarray, class_names: Sequence[str]) -> dict[str, float]:
    """Returns the recall of each class that has clips, by `recall/<name>`."""
    return {
        f"recall/{name}": float(row[index] / row.sum())
        for index, (name, row) in enumerate(zip(class_names, counts, strict=True))
        if row.sum()
    }


def by_class(
    title: str, numbers: np.ndarray, class_names: Sequence[str]
) -> dict[str, float]:
    """Returns the numbers of classes that are not NaN, by `<title>/<name>`."""
    return {
        f"{title}/{name}": float(number)
        for name, number in zip(class_names, numbers, strict=True)
        if not np.isnan(number)
    }
