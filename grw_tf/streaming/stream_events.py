"""Collects the events of a stream, step by step."""

import numpy as np

from grw_tf.streaming.events import Event, EventDetector
from grw_tf.streaming.none_of_these import NoneOfThese


class StreamEvents:
    """The events of a stream's steps.

    Args:
        none_of_these: Gives the scores, and the rules, which it must have.
        step_seconds: Seconds that a step covers.
    """

    def __init__(self, none_of_these: NoneOfThese, step_seconds: float) -> None:
        if none_of_these.rules is None:
            raise ValueError(
                "The file has no calibrated threshold: calibrate it with"
                " grw-calibrate, or give rules, such as EventRules.of_threshold(0.7)."
            )
        self._none_of_these = none_of_these
        self._step_seconds = step_seconds
        self._detector = EventDetector(none_of_these.labels, none_of_these.rules)
        self._found: list[Event] = []

    def step(self, number: int, skipped: float, logits: np.ndarray) -> None:
        """Takes the logits [num_classes] of a step.

        Args:
            number: How many steps came before it.
            skipped: Seconds before it without steps, because times jumped ahead.
            logits: Of the step.
        """
        start = number * self._step_seconds + skipped
        scores = self._none_of_these.scores(logits)
        self._found += self._detector.push(start, start + self._step_seconds, scores)

    def finish(self) -> None:
        """Ends all events, as the stream ends."""
        self._found += self._detector.finish()

    def take(self) -> list[Event]:
        """Returns the events found since the last call, by start."""
        found, self._found = self._found, []
        return found
