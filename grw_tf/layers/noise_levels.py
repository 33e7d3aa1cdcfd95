"""How often a branch is dropped, and how much of a batch one number is for."""

from collections.abc import Sequence

import tensorflow as tf

LEVELS = ("batch", "clip", "channel", "pixel")
"""One number for the (replica's) batch, each clip, each of its channels, each value."""


def check_level(level: str, known: Sequence[str] = LEVELS) -> None:
    """Raises ValueError unless a level is known."""
    if level not in known:
        raise ValueError(f"Unknown level {level!r}: give one of {', '.join(known)}.")


def check_rate(rate: float) -> None:
    """Raises ValueError unless a branch can be dropped at a rate."""
    if not 0 <= rate < 1:
        raise ValueError(f"rate must be at least 0 and below 1, got {rate}.")


def noise_shape(x: tf.Tensor, level: str) -> tf.Tensor:
    """Returns the shape of a level's random numbers, to be broadcast to x.

    Args:
        x: [batch, ..., channels].
        level: Of `LEVELS`.
    """
    shape, ones = tf.shape(x), [1] * (x.shape.rank - 2)
    return {
        "batch": [1] * x.shape.rank,
        "clip": [shape[0], *ones, 1],
        "channel": [shape[0], *ones, shape[-1]],
        "pixel": shape,
    }[level]
