"""What logits say about the classes."""

from collections.abc import Sequence

import numpy as np


def softmax(logits: np.ndarray) -> np.ndarray:
    """Returns the probabilities of logits, both [..., num_classes]."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def likeliest(
    labels: Sequence[str], probabilities: np.ndarray, k: int
) -> list[tuple[str, float]]:
    """Returns the k likeliest classes as (name, probability), likeliest first.

    Raises:
        ValueError: If k is below 1.
    """
    if k < 1:
        raise ValueError(f"k is {k}: ask for at least 1 class.")
    best = np.argsort(-probabilities, kind="stable")[:k]
    return [(labels[index], float(probabilities[index])) for index in best]
