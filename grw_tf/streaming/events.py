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
        on_threshold: Score from which on an event of the likeliest class begins.
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
        for name in ("least_seconds", "merge_gap"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise ValueError(f"{name} is {value:g}: it must be 0 s or more.")

    @classmethod
    def of_threshold(cls, on_threshold: float) -> "EventRules":
        """Returns rules of an on-threshold, and otherwise the usual ones.

        Args:
            on_threshold: The score from which an event begins, above 0 and at most 1.
        """
        return cls(on_threshold, OFF_SHARE * on_threshold)


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

    An event begins where the likeliest class reaches the on-threshold. It ends where
    the score of its class falls below the off-threshold, where another class is the
    likeliest and reaches the on-threshold, and where steps are missing. No event is of
    the class "background". An event between two that are merged stays an event.

    Args:
        labels: Names of the classes.
        rules: When events begin, end and count.
    """

    def __init__(self, labels: Sequence[str], rules: EventRules) -> None:
        self._labels = list(labels)
        self._rules = rules
        self._forget()

    def _forget(self):
        # The event that goes on, and those that ended, by start.
        self._open: Event | None = None
        self._ended: list[Event] = []

    def push(self, start: float, end: float, scores: np.ndarray) -> list[Event]:
        """Takes the scores of a step.

        Args:
            start: When the step's first frame appeared, in seconds. Steps come in
                order.
            end: When its last frame disappeared.
            scores: Probabilities [num_classes].

        Returns:
            The events that are now over and can no longer be merged with a later one,
            by start.
        """
        if self._open is not None and start > self._open.end + _ROUNDING:
            self._close()
        best = int(np.argmax(scores))
        label, score = self._labels[best], float(scores[best])
        begins = score >= self._rules.on_threshold
        if self._open is not None:
            same = float(scores[self._labels.index(self._open.label)])
            if same < self._rules.off_threshold or (
                begins and label != self._open.label
            ):
                self._close()
            else:
                self._open = _longer(self._open, end, same)
        if self._open is None and begins and label != BACKGROUND:
            earlier = self._taken_up(label, start)
            self._open = _longer(earlier or Event(start, end, label, 0.0), end, score)
        return self._take_settled(end)

    def finish(self) -> list[Event]:
        """Ends the stream; returns the events left, by start, and starts over."""
        if self._open is not None:
            self._close()
        events = self._take_settled(math.inf)
        self._forget()
        return events

    def _close(self):
        self._ended.append(self._open)
        self._ended.sort(key=lambda event: event.start)
        self._open = None

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
        if self._open is not None:
            unsettled.append(self._open.start)
        first = min(unsettled, default=math.inf)
        taken = [event for event in self._ended if event.start < first]
        self._ended = self._ended[len(taken) :]
        return taken


def _longer(event, end, score):
    return dataclasses.replace(event, end=end, score=max(event.score, score))
