"""Finds events, each of one class from a start to an end, in a stream of scores."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from grw_tf.common.class_names import BACKGROUND

OFF_SHARE = 0.8
"""The off-threshold as a share of the on-threshold, where only that is given."""

LEAST_SECONDS = 0.5
MERGE_GAP = 0.5

# Times of steps are multiples of 1 / fps, with rounding errors.
_ROUNDING = 1e-6


@dataclasses.dataclass(frozen=True)
class EventRules:
    """When events begin, end, and count.

    Attributes:
        on_threshold: Score at which an event of the likeliest class begins.
        off_threshold: Score of its class below which the event ends.
        least_seconds: Shortest event that counts.
        merge_gap: Most seconds between two events of one class that are taken for one.

    Raises:
        ValueError: If a value is out of its range, or the off-threshold is above the
            on-threshold.
    """

    on_threshold: float
    off_threshold: float
    least_seconds: float = LEAST_SECONDS
    merge_gap: float = MERGE_GAP

    def __post_init__(self) -> None:
        for name in ("on_threshold", "off_threshold"):
            value = getattr(self, name)
            if not 0 < value <= 1:
                raise ValueError(
                    f"{name} is {value:g}: scores are probabilities, so it must be"
                    " above 0 and at most 1."
                )
        if self.off_threshold > self.on_threshold:
            raise ValueError(
                f"off_threshold is {self.off_threshold:g}, above on_threshold, which is"
                f" {self.on_threshold:g}: events would end as they begin; give a lower"
                " one."
            )
        _check_seconds(least_seconds=self.least_seconds, merge_gap=self.merge_gap)

    @classmethod
    def of_threshold(cls, on_threshold: float) -> "EventRules":
        """Returns rules of an on-threshold, and otherwise the usual ones.

        Args:
            on_threshold: The score from which an event begins, above 0 and at most 1.
        """
        return cls(on_threshold, OFF_SHARE * on_threshold)


@dataclasses.dataclass(frozen=True)
class LabelEventRules:
    """When events of a model with several labels at once begin, end, and count.

    Each class has events of its own, so those of different classes may overlap in time.

    Attributes:
        on_thresholds: Score of each class at which its event begins.
        off_thresholds: Score of each class below which its event ends.
        least_seconds: Shortest event that counts.
        merge_gap: Most seconds between two events of one class that are taken for one.

    Raises:
        ValueError: If a value is out of its range, or an off-threshold is above its
            on-threshold.
    """

    on_thresholds: Sequence[float]
    off_thresholds: Sequence[float]
    least_seconds: float = LEAST_SECONDS
    merge_gap: float = MERGE_GAP

    def __post_init__(self) -> None:
        if len(self.on_thresholds) != len(self.off_thresholds):
            raise ValueError(
                f"There are {len(self.on_thresholds)} on_thresholds and"
                f" {len(self.off_thresholds)} off_thresholds: give one of each for each"
                " class."
            )
        for on, off in zip(self.on_thresholds, self.off_thresholds, strict=True):
            if not 0 <= off <= on <= 1:
                raise ValueError(
                    f"A class has the on-threshold {on:g} and the off-threshold"
                    f" {off:g}: both must be from 0 to 1, and the second not above the"
                    " first."
                )
        _check_seconds(least_seconds=self.least_seconds, merge_gap=self.merge_gap)

    @classmethod
    def of_thresholds(cls, on_thresholds: Sequence[float]) -> "LabelEventRules":
        """Returns rules of on-thresholds, and otherwise the usual ones.

        Args:
            on_thresholds: Score of each class at which its event begins, 0 to 1.
        """
        return cls(tuple(on_thresholds), tuple(OFF_SHARE * on for on in on_thresholds))


def _check_seconds(**values):
    for name, value in values.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} is {value:g}: it must be 0 s or more.")


@dataclasses.dataclass(frozen=True)
class Event:
    """An event.

    Attributes:
        start, end: In seconds since the first frame.
        label: Name of the class.
        score: The highest score of the class in it.
    """

    start: float
    end: float
    label: str
    score: float

    def to_dict(self) -> dict:
        """Returns the event in types that JSON has, with rounded numbers."""
        return {
            "start": round(self.start, 3),
            "end": round(self.end, 3),
            "class": self.label,
            "score": round(self.score, 6),
        }


class EventDetector:
    """Turns scores of steps into events.

    With `EventRules`, there is one event at a time. It begins where the likeliest class
    reaches the on-threshold. It ends where the score of its class falls below the
    off-threshold, where another class is the likeliest and reaches the on-threshold,
    and where steps are missing. With `LabelEventRules`, each class has its own events,
    which begin and end by its own thresholds, whatever the others do.

    No event is of the class "background". An event between two that are merged stays an
    event.

    Args:
        labels: Names of the classes.
        rules: When events begin, end and count.

    Raises:
        ValueError: If rules have thresholds for another number of classes.
    """

    def __init__(
        self, labels: Sequence[str], rules: EventRules | LabelEventRules
    ) -> None:
        self._labels = list(labels)
        self._rules = rules
        self._overlap = isinstance(rules, LabelEventRules)
        if isinstance(rules, LabelEventRules):
            if len(rules.on_thresholds) != len(labels):
                raise ValueError(
                    f"The rules have thresholds for {len(rules.on_thresholds)} classes,"
                    f" and the model has {len(labels)}: give one for each."
                )
            self._on = np.array(rules.on_thresholds)
            self._off = np.array(rules.off_thresholds)
        else:
            self._on = np.full(len(labels), rules.on_threshold)
            self._off = np.full(len(labels), rules.off_threshold)
        self._forget()

    def _forget(self):
        # The events that go on, by class, and those that ended, by start.
        self._open: dict[int, Event] = {}
        self._ended: list[Event] = []

    def push(self, start: float, end: float, scores: np.ndarray) -> list[Event]:
        """Takes the scores of a step.

        Args:
            start: When the step's first frame appeared, in seconds. Steps come in
                order.
            end: When its last frame disappeared.
            scores: Probabilities [num_classes], of a floating type.

        Returns:
            The events that are now over and can no longer be merged with a later one,
            by start.
        """
        for index, event in list(self._open.items()):
            if start > event.end + _ROUNDING:
                self._close(index)
        begin = self._begin(scores)
        # In float32, a threshold may be rounded up. NaN reaches none.
        low = ~(scores >= self._off.astype(scores.dtype))
        for index, event in list(self._open.items()):
            replaced = begin and index not in begin and not self._overlap
            if low[index] or replaced:
                self._close(index)
            else:
                self._open[index] = _longer(event, end, float(scores[index]))
        for index in begin:
            label = self._labels[index]
            if index not in self._open and label != BACKGROUND:
                event = self._taken_up(label, start) or Event(start, end, label, 0.0)
                self._open[index] = _longer(event, end, float(scores[index]))
        return self._take_settled(end)

    def finish(self) -> list[Event]:
        """Ends the stream; returns the events left, by start, and starts over."""
        for index in list(self._open):
            self._close(index)
        events = self._take_settled(math.inf)
        self._forget()
        return events

    def _begin(self, scores):
        """Returns the classes of which an event begins if none goes on."""
        high = scores >= self._on.astype(scores.dtype)
        if self._overlap:
            return np.flatnonzero(high).tolist()
        best = int(np.argmax(scores))
        return [best] if high[best] else []

    def _close(self, index):
        self._ended.append(self._open.pop(index))
        self._ended.sort(key=lambda event: event.start)

    def _taken_up(self, label, start):
        """Removes and returns the event that one of a class continues, if any."""
        for event in self._ended:
            gap = start - event.end
            if event.label == label and gap <= self._rules.merge_gap + _ROUNDING:
                self._ended.remove(event)
                return event
        return None

    def _take_settled(self, now):
        least = self._rules.least_seconds - _ROUNDING
        settled = now - self._rules.merge_gap - _ROUNDING
        self._ended = [
            event
            for event in self._ended
            if event.end >= settled or event.end - event.start >= least
        ]
        unsettled = [event.start for event in self._ended if event.end >= settled]
        unsettled += [event.start for event in self._open.values()]
        first = min(unsettled, default=math.inf)
        taken = [event for event in self._ended if event.start < first]
        self._ended = self._ended[len(taken) :]
        return taken


def _longer(event, end, score):
    return dataclasses.replace(event, end=end, score=max(event.score, score))
