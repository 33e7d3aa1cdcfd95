"""Weights of classes in the loss."""

import math

import numpy as np
import tensorflow as tf

from grw_tf.data.record_stream import Share, in_order
from grw_tf.data.sequence_examples import FRAMES, LABEL_INDEX

BALANCED = "balanced"


def class_weights(setting, source, num_classes):
    """Returns float32 weights [num_classes].

    Args:
      setting: a list of numbers, or "balanced": clips / (classes * clips of the
        class), as scikit-learn's `compute_class_weight`; 0 for a class without clips.
      source: of `open_source`, whose labels are counted for "balanced".
      num_classes: how many classes there are.

    Raises:
      ValueError: for anything else.
    """
    if setting == BALANCED:
        counts = _count(source, num_classes)
        share = counts.sum() / max(np.count_nonzero(counts), 1)
        return np.divide(
            share, counts, out=np.zeros(num_classes), where=counts > 0
        ).astype(np.float32)
    numbers = isinstance(setting, (list, tuple)) and all(
        isinstance(n, (int, float)) and math.isfinite(n) and n >= 0 for n in setting
    )
    if not numbers or len(setting) != num_classes or not any(setting):
        raise ValueError(
            f"task.losses.class_weights must be {BALANCED!r}, null, or a list of"
            f" {num_classes} numbers from 0 on, one a class; got {setting!r:.80}."
        )
    return np.array(setting, np.float32)


def _count(source, num_classes):
    decode = source.decoder(FRAMES, LABEL_INDEX)
    counts = np.zeros(num_classes, np.int64)
    labels = in_order(Share(source.files)).map(
        lambda record: tf.reshape(decode(record)[LABEL_INDEX], ()),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    for label in labels.as_numpy_iterator():
        counts[label] += 1
    return counts
