"""Tests of comparing events with true segments."""

import pytest

from grw_tf.evaluation.event_measures import (
    Segment,
    match,
    measure_events,
    temporal_iou,
)
from grw_tf.streaming.events import Event


def _event(start, end, label="run", score=0.9):
    return Event(start, end, label, score)


def test_overlap_is_intersection_over_union_in_time():
    assert temporal_iou(_event(0, 2), Segment(1, 3, "run")) == pytest.approx(1 / 3)
    assert temporal_iou(_event(0, 2), Segment(0, 2, "run")) == 1
    assert temporal_iou(_event(0, 1), Segment(1, 2, "run")) == 0


def test_each_segment_is_found_once_and_by_its_class():
    true = [Segment(0, 2, "run"), Segment(4, 6, "run"), Segment(8, 10, "jump")]
    found = [
        _event(0, 1.8, score=0.8),
        # The better score chooses first.
        _event(0.1, 2.0, score=0.9),
        _event(4, 9),
        _event(8, 10),
        _event(8.5, 10, "jump"),
    ]
    # The third overlaps by 2 of 5 s, and the fourth has the wrong class.
    assert match(found, true, 0.5) == [None, 0, None, None, 2]
    assert match(found, true, 0.4) == [None, 0, 1, None, 2]


def test_measures_count_right_false_and_missed_events():
    true = [[Segment(0, 2, "run"), Segment(4, 6, "run")], [Segment(0, 3, "jump")], []]
    found = [[_event(0.5, 2), _event(8, 9)], [_event(0, 3, "jump")], [_event(1, 2)]]
    measures = measure_events(found, true, 1800.0, 0.5)
    assert measures.f1 == pytest.approx(2 * 2 / (4 + 3))
    assert measures.hours == 0.5
    assert measures.false_alarms_per_hour == 4.0
    assert measures.median_delay == pytest.approx(0.25)
    precision, recall, f1, segments, false = measures.classes["run"]
    assert (precision, recall) == (pytest.approx(1 / 3), 0.5)
    assert (f1, segments, false) == (pytest.approx(0.4), 2, 2)
    assert measures.macro_f1 == pytest.approx((0.4 + 1) / 2)
    assert "false alarms an hour      4.00" in measures.table()
    told = measures.to_dict()
    assert told["classes"][0]["name"] == "jump" and told["f1"] == measures.f1


def test_nothing_found_and_nothing_there_is_told():
    measures = measure_events([[], []], [[Segment(0, 1, "run")], []], 3600.0, 0.5)
    assert (measures.f1, measures.false_alarms_per_hour) == (0, 0)
    assert measures.median_delay is None and measures.classes["run"][0] is None
    assert " - " in measures.table()
