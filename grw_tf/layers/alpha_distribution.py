"""Distributions of a random scale, as spelled in configs."""

import dataclasses
import math
import re
from typing import Any

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Normal:
    """N(mean, std), "normal(mean, std)".

    Raises:
        ValueError: For a negative standard deviation.
    """

    mean: float
    std: float

    def __post_init__(self) -> None:
        if self.std < 0:
            raise ValueError(
                f"The standard deviation of {self} is negative: give one of at least 0."
            )

    def __str__(self):
        return f"normal({self.mean:g}, {self.std:g})"

    def draw(self, generator: Any, shape: Any, nonce: int | None = None) -> tf.Tensor:
        """Returns float32 numbers, see `Uniform.draw`."""
        return generator.random_normal(
            shape, self.mean, self.std, dtype="float32", nonce=nonce
        )


@dataclasses.dataclass(frozen=True)
class Uniform:
    """U(low, high), "uniform(low, high)"; a constant where both are the same.

    Raises:
        ValueError: If low > high.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError(
                f"The bounds of {self} are the wrong way round: give the lower first."
            )

    def __str__(self):
        return f"uniform({self.low:g}, {self.high:g})"

    @property
    def mean(self) -> float:
        return (self.low + self.high) / 2

    def draw(self, generator: Any, shape: Any, nonce: int | None = None) -> tf.Tensor:
        """Returns float32 numbers, whatever the precision of the layer.

        Args:
            generator: A layer's `_random_generator`.
            shape: Of the result.
            nonce: Positive number, another one for each draw of a layer: generators of
                training have one seed a step, and would else draw the same.
        """
        return generator.random_uniform(
            shape, self.low, self.high, dtype="float32", nonce=nonce
        )


_KINDS: dict[str, type[Normal | Uniform]] = {"normal": Normal, "uniform": Uniform}


def parse_distribution(text: str) -> Normal | Uniform:
    """Returns the distribution that a text like "normal(1, 0.5)" spells.

    Args:
        text: "normal(mean, standard deviation)" or "uniform(low, high)".

    Raises:
        ValueError: For any other text, numbers that are not finite, a negative standard
            deviation, and bounds the wrong way round.
    """
    spelled = re.fullmatch(r"\s*(\w+)\s*\((.*)\)\s*", str(text))
    if not spelled or spelled[1] not in _KINDS:
        raise ValueError(
            f"Unknown distribution {text!r}: give normal(mean, standard deviation) or "
            "uniform(low, high)."
        )
    try:
        first, second = map(float, spelled[2].split(","))
    except ValueError:
        raise ValueError(
            f"Distribution {text!r} must have two numbers, as {spelled[1]}(0.5, 1)."
        ) from None
    if not (math.isfinite(first) and math.isfinite(second)):
        raise ValueError(f"Distribution {text!r} must have finite numbers.")
    return _KINDS[spelled[1]](first, second)
