"""Chooses some of many clips, from all classes and all parts of their order."""

from collections.abc import Sequence

import numpy as np


def choose_evenly(labels: Sequence[int] | np.ndarray, count: int) -> np.ndarray:
    """Chooses clips of all classes, evenly spread over their order.

    The choice is deterministic. Each class keeps about its share of all clips, but at
    least one clip. If `count` is too small for that, the largest classes have one each.

    Args:
        labels: Class of each clip, whole numbers [clips].
        count: Number of clips to choose. If there are no more, all are chosen.

    Returns:
        Indices of the chosen clips in rising order, int64 [min(count, clips)].
    """
    labels = np.asarray(labels)
    if count >= len(labels):
        return np.arange(len(labels))
    classes, sizes = np.unique(labels, return_counts=True)
    chosen = [
        np.flatnonzero(labels == label)[_spread(size, quota)]
        for label, size, quota in zip(
            classes, sizes, _quotas(sizes, count), strict=True
        )
    ]
    return np.sort(np.concatenate(chosen))


def _spread(size, quota):
    """Returns the middle indices of `quota` equal parts of a row."""
    return (2 * np.arange(quota) + 1) * size // (2 * max(quota, 1))


def _quotas(sizes, count):
    """Divides a count by sizes: one for each, then by the Sainte-Laguë method."""
    quotas = np.zeros(len(sizes), np.int64)
    largest = np.argsort(-sizes, kind="stable")[:count]
    quotas[largest] = 1
    for _ in range(count - len(largest)):
        quotas[np.argmax(sizes / (2 * quotas + 1))] += 1
    return quotas
