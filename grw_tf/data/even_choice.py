"""Choosing some of many clips, of all classes and from all parts of their order."""

import numpy as np


def choose_evenly(labels, count) -> np.ndarray:
    """Chooses clips of all classes, evenly spread over their order.

    The choice is always the same. Each class has about the share that it has of all
    clips, but at least one clip; if `count` is too small for that, the largest classes
    have one.

    Args:
        labels: Whole numbers [clips], the class of each.
        count: How many to choose; all, if there are no more.

    Returns:
        int64 [min(count, clips)], indices of the chosen clips, in rising order.
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
    """Returns the middles of `quota` equal parts of a row."""
    return (2 * np.arange(quota) + 1) * size // (2 * max(quota, 1))


def _quotas(sizes, count):
    """Divides a count by sizes, by the method of Sainte-Lague after one for each."""
    quotas = np.zeros(len(sizes), np.int64)
    largest = np.argsort(-sizes, kind="stable")[:count]
    quotas[largest] = 1
    for _ in range(count - len(largest)):
        quotas[np.argmax(sizes / (2 * quotas + 1))] += 1
    return quotas
