"""Collects the events of a stream, step by step."""

from collections.abc import Callable

import numpy as np

from grw_tf.streaming.events import Event, EventDetector, EventRules, LabelEventRules
from grw_tf.streaming.exported_file import ExportedFile
from grw_tf.streaming.none_of_these import NoneOfThese


def event_scores(
    exported: ExportedFile, none_of_these: NoneOfThese
) -> Callable[[np.ndarray], np.ndarray]:
    """Returns the function from logits [..., num_classes] to the scores of events.

    They are the calibrated probabilities, or for a model with several labels the
    sigmoids by which a session names classes.

    Args:
        exported: The file.
        none_of_these: What its calibration says.
    """
    if exported.thresholds is None:
        return none_of_these.scores
    return lambda logits: exported.scores(np.asarray(logits, np.float32))


def event_rules(
    exported: ExportedFile,
    none_of_these: NoneOfThese,
    asked: EventRules | LabelEventRules | None = None,
) -> EventRules | LabelEventRules:
    """Returns the rules of a file's events: those asked for, or else its own.

    Args:
        exported: The file.
        none_of_these: What its calibration says.
        asked: Other rules.

    Raises:
        ValueError: If there are none, or those asked for suit another kind of model.
    """
    if exported.thresholds is None:
        if isinstance(asked, LabelEventRules):
            raise ValueError(
                f"{exported.path} is the file of a model with a softmax, which names"
                " one class at a time: give EventRules."
            )
        rules = asked or none_of_these.rules
        if rules is None:
            raise ValueError(
                "The file has no calibrated threshold: calibrate it with grw-calibrate,"
                " or give rules, such as EventRules.of_threshold(0.7)."
            )
        return rules
    if isinstance(asked, EventRules):
        raise ValueError(
            f"{exported.path} is the file of a model with several labels at once, each"
            " with its own threshold: give LabelEventRules."
        )
    return asked or LabelEventRules.of_thresholds(exported.thresholds)


class StreamEvents:
    """The events of a stream's steps.

    Args:
        detector: Finds them.
        scores: The function from logits [num_classes] to the scores that it takes.
        step_seconds: Seconds that a step covers.
    """

    def __init__(
        self,
        detector: EventDetector,
        scores: Callable[[np.ndarray], np.ndarray],
        step_seconds: float,
    ) -> None:
        self._detector = detector
        self._scores = scores
        self._step_seconds = step_seconds
        self._found: list[Event] = []

    def step(self, number: int, skipped: float, logits: np.ndarray) -> None:
        """Takes the logits [num_classes] of a step.

        Args:
            number: How many steps came before it.
            skipped: Seconds before it without steps, because times jumped ahead.
            logits: Of the step.
        """
        start = number * self._step_seconds + skipped
        end = start + self._step_seconds
        self._found += self._detector.push(start, end, self._scores(logits))

    def finish(self) -> None:
        """Ends all events, as the stream ends."""
        self._found += self._detector.finish()

    def take(self) -> list[Event]:
        """Returns the events found since the last call, by start."""
        found, self._found = self._found, []
        return found

    def restart(self) -> None:
        """Starts another stream; events that nobody has taken are lost."""
        self._detector.finish()
        self._found = []
