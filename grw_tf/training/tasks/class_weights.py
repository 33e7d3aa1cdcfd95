"""Class weights of the loss."""

import math
from typing import Any

import numpy as np

from grw_tf.data.records.record_labels import label_lists_of, labels_of
from grw_tf.data.records.record_source import RecordSource
from grw_tf.data.records.record_stream import Share
from grw_tf.data.tfds_source import TfdsSource

BALANCED = "balanced"


def balanced_weights(source: RecordSource | TfdsSource, num_classes: int) -> np.ndarray:
    """Returns float32 `[num_classes]`: clips / (classes * clips of the class).

    These are the weights of scikit-learn's `compute_class_weight` over the classes that
    have clips. A class without clips gets 0.

    Raises:
        ValueError: If a label is not one of the classes.
    """
    labels = labels_of(source, Share(source.files), num_classes)
    counts = np.bincount(labels, minlength=num_classes)
    share = counts.sum() / max(np.count_nonzero(counts), 1)
    weights = np.divide(share, counts, out=np.zeros(num_classes), where=counts > 0)
    return weights.astype(np.float32)


def balanced_label_weights(
    source: RecordSource | TfdsSource, num_classes: int
) -> np.ndarray:
    """Returns float32 `[2, num_classes]`: weights of clips without and with a class.

    For each class, the clips with it have as much weight in all as those without it,
    and their mean is 1: `balanced_weights` of a binary problem.

    Raises:
        ValueError: If a label is not one of the classes.
    """
    lists = label_lists_of(source, Share(source.files), num_classes)
    there = np.bincount(np.concatenate([[], *lists]).astype(int), minlength=num_classes)
    counts = np.stack([len(lists) - there, there])
    shares = len(lists) / np.maximum(np.count_nonzero(counts, axis=0), 1)
    weights = np.divide(shares, counts, out=np.zeros(counts.shape), where=counts > 0)
    return weights.astype(np.float32)


def given_weights(setting: Any, num_classes: int) -> np.ndarray:
    """Returns a list of numbers as float32 `[num_classes]`.

    Raises:
        ValueError: If it is not that many finite numbers from 0 on, or all are 0.
    """
    numbers = isinstance(setting, (list, tuple)) and all(
        isinstance(n, (int, float)) and math.isfinite(n) and n >= 0 for n in setting
    )
    if not numbers or len(setting) != num_classes or not any(setting):
        raise ValueError(
            f"task.losses.class_weights must be {BALANCED!r}, null, or a list of"
            f" {num_classes} numbers from 0 on, one per class; got {setting!r:.80}."
        )
    return np.array(setting, np.float32)
