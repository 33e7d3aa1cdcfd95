"""Weights of classes in the loss."""

import math

import numpy as np

from grw_tf.data.records.record_labels import labels_of
from grw_tf.data.records.record_stream import Share

BALANCED = "balanced"


def balanced_weights(source, num_classes):
    """Returns float32 [num_classes]: clips / (classes * clips of the class).

    As scikit-learn's `compute_class_weight`, of the classes that have clips; 0 for one
    that has none.

    Args:
        source: A `RecordSource` or `TfdsSource`, whose labels are counted.
        num_classes: How many classes there are.

    Raises:
        ValueError: If a label is none of the classes.
    """
    labels = labels_of(source, Share(source.files), num_classes)
    counts = np.bincount(labels, minlength=num_classes)
    share = counts.sum() / max(np.count_nonzero(counts), 1)
    weights = np.divide(share, counts, out=np.zeros(num_classes), where=counts > 0)
    return weights.astype(np.float32)


def given_weights(setting, num_classes):
    """Returns float32 [num_classes] of a list of numbers.

    Raises:
        ValueError: If it is none of as many numbers from 0 on.
    """
    numbers = isinstance(setting, (list, tuple)) and all(
        isinstance(n, (int, float)) and math.isfinite(n) and n >= 0 for n in setting
    )
    if not numbers or len(setting) != num_classes or not any(setting):
        raise ValueError(
            f"task.losses.class_weights must be {BALANCED!r}, null, or a list of"
            f" {num_classes} numbers from 0 on, one a class; got {setting!r:.80}."
        )
    return np.array(setting, np.float32)
