"""Compares events with true segments."""

import collections
import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from grw_tf.common.text_table import text_table
from grw_tf.streaming.events import Event

_SECONDS_AN_HOUR = 3600.0


@dataclasses.dataclass(frozen=True)
class Segment:
    """A true segment of a video, from `start` to `end` in seconds, of class `label`."""

    start: float
    end: float
    label: str


@dataclasses.dataclass
class _Counts:
    """Of a class."""

    right: int = 0
    false: int = 0
    missed: int = 0

    def row(self):
        found, true = self.right + self.false, self.right + self.missed
        precision = self.right / found if found else None
        recall = self.right / true if true else None
        return precision, recall, 2 * self.right / (found + true or 1), true, self.false


@dataclasses.dataclass(frozen=True)
class EventMeasures:
    """How well events fit true segments.

    Attributes:
        min_iou: Least intersection over union, in time, of an event and its segment.
        f1: Of all events: 2 right / (found + true).
        macro_f1: Mean F1 of the classes that have a segment or an event.
        false_alarms_per_hour: Events without a segment of theirs, in an hour of video.
        hours: Length of the videos.
        median_delay: Median seconds from the start of a segment to that of its event;
            None if none was found.
        classes: By name: precision, recall (None where undefined), F1, number of
            segments, number of false alarms.
    """

    min_iou: float
    f1: float
    macro_f1: float
    false_alarms_per_hour: float
    hours: float
    median_delay: float | None
    classes: Mapping[str, tuple]

    def to_dict(self) -> dict:
        """Returns the measures in types that JSON has."""
        names = ("precision", "recall", "f1", "segments", "false_alarms")
        told = dataclasses.asdict(self)
        told["classes"] = [
            {"name": name} | dict(zip(names, row, strict=True))
            for name, row in self.classes.items()
        ]
        return told

    def table(self) -> str:
        """Returns the measures as text, with a line for each class."""
        delay = "-" if self.median_delay is None else f"{self.median_delay:.2f} s"
        overall = (
            (f"event F1 at IoU {self.min_iou:g}", f"{self.f1:.3f}"),
            ("mean F1 of classes", f"{self.macro_f1:.3f}"),
            ("false alarms an hour", f"{self.false_alarms_per_hour:.2f}"),
            ("hours", f"{self.hours:.3f}"),
            ("median delay of starts", delay),
        )
        header = ("class", "precision", "recall", "F1", "segments", "false alarms")
        rows = [
            (name, _text(row[0]), _text(row[1]), _text(row[2]), *row[3:])
            for name, row in self.classes.items()
        ]
        return f"{text_table(overall, '<>')}\n\n{text_table([header, *rows])}"


def match(
    found: Sequence[Event], true: Sequence[Segment], min_iou: float
) -> list[int | None]:
    """Returns for each event of a video the index of its segment, or None.

    Events of higher scores choose first, each the segment of its class, not yet taken,
    with the highest intersection over union in time.

    Args:
        found: Events of one video.
        true: True segments of the same.
        min_iou: Least intersection over union.
    """
    matched: list[int | None] = [None] * len(found)
    free = set(range(len(true)))
    for place in sorted(range(len(found)), key=lambda k: -found[k].score):
        event = found[place]
        overlaps = {
            index: temporal_iou(event, true[index])
            for index in sorted(free)
            if true[index].label == event.label
        }
        best = max(overlaps, key=lambda index: overlaps[index], default=None)
        if best is not None and overlaps[best] >= min_iou:
            matched[place] = best
            free.remove(best)
    return matched


def temporal_iou(event: Event, segment: Segment) -> float:
    """Returns the intersection over union of an event and a segment, in time."""
    shared = min(event.end, segment.end) - max(event.start, segment.start)
    union = max(event.end, segment.end) - min(event.start, segment.start)
    return max(0.0, shared) / union if union else 0.0


def measure_events(
    found: Sequence[Sequence[Event]],
    true: Sequence[Sequence[Segment]],
    seconds: float,
    min_iou: float,
) -> EventMeasures:
    """Measures the events of videos.

    Args:
        found: Events of each video.
        true: True segments of each.
        seconds: Length of all videos together.
        min_iou: As of `match`.
    """
    counts: dict[str, _Counts] = collections.defaultdict(_Counts)
    delays = []
    for events, segments in zip(found, true, strict=True):
        matched = match(events, segments, min_iou)
        for event, index in zip(events, matched, strict=True):
            if index is None:
                counts[event.label].false += 1
            else:
                counts[event.label].right += 1
                delays.append(event.start - segments[index].start)
        for index, segment in enumerate(segments):
            counts[segment.label].missed += index not in matched
    classes = {name: counts[name].row() for name in sorted(counts)}
    total = _Counts(
        sum(count.right for count in counts.values()),
        sum(count.false for count in counts.values()),
        sum(count.missed for count in counts.values()),
    )
    hours = seconds / _SECONDS_AN_HOUR
    return EventMeasures(
        min_iou=min_iou,
        f1=total.row()[2],
        macro_f1=float(np.mean([row[2] for row in classes.values()] or [0.0])),
        false_alarms_per_hour=total.false / hours,
        hours=hours,
        median_delay=float(np.median(delays)) if delays else None,
        classes=classes,
    )


def _text(score):
    return "-" if score is None else f"{score:.3f}"
