"""What logits say about the classes."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

Label = TypeVar("Label")


def softmax(logits: np.ndarray) -> np.ndarray:
    """Returns the probabilities of logits, both [..., num_classes]."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Returns the sigmoids of logits, both [..., num_classes]."""
    # Neither exponential overflows.
    small = np.exp(-np.abs(logits))
    return np.where(logits >= 0, 1, small) / (1 + small)


def check_thresholds(path: str, thresholds: Sequence[float] | None) -> Sequence[float]:
    """Returns the thresholds of an exported file.

    Raises:
        ValueError: If it has none, because its model has a softmax.
    """
    if thresholds is None:
        raise ValueError(
            f"{path} is the file of a model with a softmax, of which exactly one class"
            " is right: ask for top()."
        )
    return thresholds


def reaching(
    labels: Sequence[str], scores: np.ndarray, thresholds: Sequence[float]
) -> list[tuple[str, float]]:
    """Returns the classes whose scores reach their thresholds, best score first.

    All arguments have a value for each class; the result is pairs (name, score).
    """
    ranked = likeliest(range(len(labels)), scores, len(labels))
    # Scores are float32, in which a threshold may be rounded up.
    return [
        (labels[index], score)
        for index, score in ranked
        if score >= np.float32(thresholds[index])
    ]


def likeliest(
    labels: Sequence[Label], probabilities: np.ndarray, k: int
) -> list[tuple[Label, float]]:
    """Returns the k likeliest classes as (name, probability), likeliest first.

    Raises:
        ValueError: If k is below 1.
    """
    if k < 1:
        raise ValueError(f"k is {k}: ask for at least 1 class.")
    best = np.argsort(-probabilities, kind="stable")[:k]
    return [(labels[index], float(probabilities[index])) for index in best]
