"""Decides whether a model's likeliest class is its answer, or "none of these"."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from grw_tf.common.class_names import BACKGROUND
from grw_tf.streaming.answers import softmax
from grw_tf.streaming.events import EventRules

MANIFEST_KEY = "none_of_these"
"""Entry of a manifest with the result of a calibration."""

NONE = "none"
"""What programs print where no class is the answer."""


@dataclasses.dataclass(frozen=True)
class NoneOfThese:
    """When an answer counts.

    Attributes:
        labels: Names of the classes.
        temperature: What logits are divided by before the softmax that gives scores.
        rules: The rules of events; their on-threshold is that of answers. None if the
            file is not calibrated: every score then passes.
        memory_frames: Frames beyond which a stream's model forgets, as while it was
            calibrated; see `StreamSession`. None for no limit.

    Raises:
        ValueError: If the temperature or the memory is not above 0.
    """

    labels: Sequence[str]
    temperature: float = 1.0
    rules: EventRules | None = None
    memory_frames: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.temperature < np.inf:
            raise ValueError(
                f"temperature is {self.temperature:g}: it must be above 0."
            )
        if self.memory_frames is not None and not self.memory_frames > 0:
            raise ValueError(
                f"memory_frames is {self.memory_frames}: it must be above 0."
            )

    @property
    def may_say_none(self) -> bool:
        """Whether there is a threshold, or a class "background"."""
        return self.rules is not None or BACKGROUND in self.labels

    def scores(self, logits: np.ndarray) -> np.ndarray:
        """Returns the calibrated probabilities of logits, both [..., num_classes]."""
        return softmax(np.asarray(logits, np.float64) / self.temperature)

    def answer(self, logits: np.ndarray) -> tuple[str | None, float]:
        """Returns the likeliest class and its score.

        The class is None if the score does not reach the on-threshold, or if it is
        "background".
        """
        scores = self.scores(logits)
        best = int(scores.argmax())
        label, score = self.labels[best], float(scores[best])
        # A broken model's NaN reaches no threshold.
        fails = self.rules is not None and not score >= self.rules.on_threshold
        return (None if fails or label == BACKGROUND else label), score


def refuse_several_labels(path: str, manifest: Mapping[str, Any]) -> None:
    """Checks that a file's model names one class, and not several at once.

    Raises:
        ValueError: If its scores are sigmoids. They have thresholds of their own, one
            for each class.
    """
    activation = manifest["output"].get("activation", "softmax")
    if activation != "softmax":
        raise ValueError(
            f"{path} is the file of a model with several labels at once ({activation}),"
            " each with its own threshold: answers and calibration are for models that"
            " name one class."
        )


def manifest_entry(none_of_these: NoneOfThese, calibration: Mapping) -> dict:
    """Returns the entry of a manifest.

    Args:
        none_of_these: What it says; it has rules.
        calibration: How it was chosen, in types that JSON has.
    """
    assert none_of_these.rules is not None
    return {
        "temperature": none_of_these.temperature,
        **dataclasses.asdict(none_of_these.rules),
        "memory_frames": none_of_these.memory_frames,
        "calibration": dict(calibration),
    }


def read_none_of_these(
    path: str, labels: Sequence[str], manifest: Mapping[str, Any]
) -> NoneOfThese:
    """Returns what the calibration of an exported file says, if it has one.

    Raises:
        ValueError: If the entry is damaged.
    """
    entry = manifest.get(MANIFEST_KEY)
    if entry is None:
        return NoneOfThese(labels)
    try:
        names = [field.name for field in dataclasses.fields(EventRules)]
        rules = EventRules(**{name: _number(entry, name) for name in names})
        memory = entry["memory_frames"]
        if not (memory is None or type(memory) is int):
            raise ValueError(f"memory_frames is {memory!r}: it must be a whole number.")
        return NoneOfThese(labels, _number(entry, "temperature"), rules, memory)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} has thresholds that cannot be used ({error}): calibrate it again."
        ) from None


def _number(entry, name):
    value = entry[name]
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(f"{name} is {value!r}: it must be a number.")
    return float(value)
