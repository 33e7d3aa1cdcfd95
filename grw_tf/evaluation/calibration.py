"""Chooses the temperature of scores and the threshold of answers."""

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np

from grw_tf.common.class_names import BACKGROUND
from grw_tf.evaluation.file_scores import VideoScores
from grw_tf.streaming.events import EventRules
from grw_tf.streaming.none_of_these import NoneOfThese

# Temperatures are sought between these.
_LEAST, _MOST = 0.05, 20.0
_TOLERANCE = 1e-4
_SECONDS_AN_HOUR = 3600.0
# Thresholds tried at most.
_MOST_TRIED = 256


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Returns the temperature of least negative log likelihood, from 0.05 to 20.

    If the likeliest class of every clip is right, ever lower temperatures would be
    better, and the answer is 1.

    Args:
        logits: [clips, classes].
        labels: Whole numbers [clips].

    Reference: Guo et al., On Calibration of Modern Neural Networks, ICML 2017.
    """
    logits = np.asarray(logits, np.float64)
    if (logits.argmax(axis=1) == labels).all():
        return 1.0

    def loss(log_temperature):
        scaled = logits / math.exp(log_temperature)
        shifted = scaled - scaled.max(axis=1, keepdims=True)
        chosen = shifted[np.arange(len(labels)), labels]
        return float(np.mean(np.log(np.exp(shifted).sum(axis=1)) - chosen))

    return math.exp(_minimum(loss, math.log(_LEAST), math.log(_MOST)))


def _minimum(function, low, high):
    """Returns the place of the minimum of a function with one, by golden section."""
    ratio = (math.sqrt(5) - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = function(left), function(right)
    while high - low > _TOLERANCE:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = function(right)
    return (low + high) / 2


@dataclasses.dataclass(frozen=True, eq=False)
class Answers:
    """The likeliest classes of clips.

    Attributes:
        scores: float64 [clips], the likeliest class's.
        counts: bool [clips], whether that class can be an answer: it is not
            "background".
        right: bool [clips], whether it is the label.
        of_classes: bool [clips], whether the clip has a label other than "background".
    """

    scores: np.ndarray
    counts: np.ndarray
    right: np.ndarray
    of_classes: np.ndarray

    def precision(self, threshold: float) -> float:
        """Returns the share of answers that are right; NaN if there are none."""
        answered = self.counts & (self.scores >= threshold)
        if not answered.any():
            return math.nan
        return float(self.right[answered].mean())

    def coverage(self, threshold: float) -> float:
        """Returns the share of clips of the classes that are answered rightly."""
        if not self.of_classes.any():
            return math.nan
        found = self.counts & self.right & (self.scores >= threshold)
        return float(found[self.of_classes].mean())


def answers(
    none_of_these: NoneOfThese,
    logits: np.ndarray,
    labels: np.ndarray,
    background: np.ndarray,
) -> Answers:
    """Returns the answers to clips of the classes and to clips of none of them.

    Args:
        none_of_these: Gives the scores.
        logits: [clips, classes] of labeled clips.
        labels: Whole numbers [clips].
        background: Logits [others, classes] of clips of none of the classes.
    """
    names = list(none_of_these.labels)
    both = np.concatenate([logits, background])
    labels = np.concatenate([labels, np.full(len(background), -1)])
    scores = none_of_these.scores(both)
    best = scores.argmax(axis=1)
    negative = names.index(BACKGROUND) if BACKGROUND in names else -1
    return Answers(
        scores=scores.max(axis=1),
        counts=best != negative,
        right=best == labels,
        of_classes=(labels != -1) & (labels != negative),
    )


def threshold_of_precision(found: Answers, target: float) -> float:
    """Returns the lowest threshold whose answers are as precise as asked.

    Raises:
        ValueError: If no threshold gives that precision.
    """
    tried = np.unique(found.scores[found.counts])
    precisions = np.array([found.precision(threshold) for threshold in tried])
    enough = precisions >= target
    if not enough.any():
        best = f"{np.nanmax(precisions):.3f}" if len(tried) else "undefined"
        raise ValueError(
            f"target_precision is {target:g}, and the highest precision at any"
            f" threshold is {best}: ask for less, or give more clips."
        )
    return float(tried[enough.argmax()])


def false_alarms_an_hour(
    videos: Sequence[VideoScores], none_of_these: NoneOfThese, rules: EventRules
) -> float:
    """Returns the events found in an hour of videos without any.

    Args:
        videos: Scores of videos that show none of the classes.
        none_of_these: Gives the scores.
        rules: The rules of events.
    """
    labels, scores = none_of_these.labels, none_of_these.scores
    found = sum(len(video.events(labels, scores, rules)) for video in videos)
    return found / hours(videos)


def hours(videos: Sequence[VideoScores]) -> float:
    """Returns how long videos last together."""
    return sum(video.seconds for video in videos) / _SECONDS_AN_HOUR


def threshold_of_false_alarms(
    videos: Sequence[VideoScores],
    none_of_these: NoneOfThese,
    rules: Callable[[float], EventRules],
    target: float,
) -> float:
    """Returns the lowest threshold with as few false alarms an hour as asked.

    All higher thresholds that were tried have as few too. (At very low ones there may
    be few again, because alarms merge into one without end.)

    Args:
        videos: Scores of videos that show none of the classes.
        none_of_these: Gives the scores.
        rules: Gives the rules of events for an on-threshold.
        target: Most false alarms an hour.

    Raises:
        ValueError: If no threshold has as few.
    """
    rows = np.concatenate([video.logits for video in videos])
    scores = none_of_these.scores(rows).max(axis=1)
    # Above the highest score there is no event. The likeliest class always has a score
    # of 1 / classes.
    above = min(1.0, float(np.nextafter(max(scores), np.inf)))
    lowest = 1 / len(none_of_these.labels)
    falling = np.unique([lowest, *(s for s in scores if s > lowest), above])[::-1]
    # The higher, the denser.
    places = np.geomspace(1, len(falling), min(_MOST_TRIED, len(falling)))
    tried = falling[np.unique(places.round().astype(int)) - 1].tolist()
    chosen = None
    for threshold in tried:
        rate = false_alarms_an_hour(videos, none_of_these, rules(threshold))
        if rate > target:
            break
        chosen = threshold
    if chosen is None:
        raise ValueError(
            f"false_alarms_per_hour is {target:g}, and even events of score {above:.6g}"
            " are more frequent on the background: allow more, train a class background"
            " (grw-prepare --background_ratio), or raise --least_seconds."
        )
    return chosen
