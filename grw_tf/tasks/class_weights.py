"""Weights of classes in the loss."""

import math

import numpy as np
import tensorflow as tf

from grw_tf.data.record_stream import Share, in_order
from grw_tf.data.sequence_examples import FRAMES, LABEL_INDEX

BALANCED = "balanced"


def balanced_weights(source, num_classes):
    """Returns float32 [num_classes]: clips / (classes * clips of the class).

    As scikit-learn's `compute_class_weight`, of the classes that have clips; 0 for one
    that has none.

    Args:
      source: a `RecordSource` or `TfdsSource`, whose labels are counted.
      num_classes: how many classes there are.

    Raises:
      ValueError: if a label is none of the classes.
    """
    decode = source.decoder(FRAMES, LABEL_INDEX)
    counts = np.zeros(num_classes, np.int64)
    labels = in_order(Share(source.files)).map(
        lambda record: tf.reshape(decode(record)[LABEL_INDEX], ()),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    for label in labels.as_numpy_iterator():
        if not 0 <= label < num_classes:
            raise ValueError(
                f"{source.where} has a clip of class {label}, which is none of the"
                f" {num_classes}: make the records again."
            )
        counts[label] += 1
    share = counts.sum() / max(np.count_nonzero(counts), 1)
    weights = np.divide(share, counts, out=np.zeros(num_classes), where=counts > 0)
    return weights.astype(np.float32)


def given_weights(setting, num_classes):
    """Returns float32 [num_classes] of a list of numbers.

    Raises:
      ValueError: if it is none of as many numbers from 0 on.
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
