"""Tests of events, of "none of these", and of sessions that find both."""

import dataclasses
import json

import numpy as np
import pytest
from exported_files import manifest_of, with_manifest
from exported_streams import write_colors

from grw_tf.export.bundle import add_to_manifest
from grw_tf.streaming import EventRules, LabelEventRules, StreamSession
from grw_tf.streaming.event_file import EventFile
from grw_tf.streaming.event_options import EventOptions
from grw_tf.streaming.events import Event, EventDetector
from grw_tf.streaming.none_of_these import (
    MANIFEST_KEY,
    NoneOfThese,
    manifest_entry,
    read_none_of_these,
    refuse_several_labels,
)

LABELS = ["a", "b", "background"]
STEP = 0.2
RED, GREEN, GRAY = (255, 0, 0), (0, 255, 0), (128, 128, 128)
YELLOW, BLACK = (255, 255, 0), (0, 0, 0)


def _scores(*shares):
    """Returns scores of steps from shares of a and b."""
    return [np.array([a, b, 1 - a - b]) for a, b in shares]


def _detect(rules, scores, starts=None):
    """Returns the events of steps, and those that `push` told before the end."""
    detector = EventDetector(LABELS, rules)
    starts = STEP * np.arange(len(scores)) if starts is None else starts
    early = []
    for start, row in zip(starts, scores, strict=True):
        early += detector.push(start, start + STEP, row)
    return early + detector.finish(), early


def _spans(events):
    return [(e.label, round(e.start, 3), round(e.end, 3)) for e in events]


AT_ONCE = EventRules(0.7, 0.5, least_seconds=0.0, merge_gap=0.0)


def test_event_goes_on_between_the_thresholds():
    shares = [(0.6, 0), (0.8, 0), (0.6, 0), (0.55, 0), (0.4, 0), (0.6, 0)]
    events, _ = _detect(AT_ONCE, _scores(*shares))
    # 0.6 alone, before or after, begins nothing.
    assert _spans(events) == [("a", 0.2, 0.8)]
    assert events[0].score == 0.8


def test_events_of_two_classes_follow_each_other():
    events, _ = _detect(AT_ONCE, _scores((0.9, 0), (0.9, 0), (0, 0.9), (0, 0.9)))
    assert _spans(events) == [("a", 0.0, 0.4), ("b", 0.4, 0.8)]
    # An event ends at a likelier one although its own score is still high enough.
    low = EventRules(0.45, 0.2, least_seconds=0.0, merge_gap=0.0)
    events, _ = _detect(low, _scores((0.6, 0.3), (0.4, 0.5)))
    assert _spans(events) == [("a", 0.0, 0.2), ("b", 0.2, 0.4)]


def test_background_is_no_event():
    events, _ = _detect(AT_ONCE, _scores((0, 0), (0.1, 0), (0, 0)))
    assert not events


def test_short_events_do_not_count():
    rules = EventRules(0.7, 0.5, least_seconds=0.4, merge_gap=0.0)
    shares = [(0.9, 0), (0, 0), (0.9, 0), (0.9, 0), (0, 0)]
    assert _spans(_detect(rules, _scores(*shares))[0]) == [("a", 0.4, 0.8)]


def test_events_of_a_class_are_merged_across_a_gap():
    rules = EventRules(0.7, 0.5, least_seconds=0.5, merge_gap=0.4)
    shares = [(0.9, 0), (0, 0), (0, 0), (0.9, 0), (0, 0), (0, 0), (0, 0), (0.9, 0)]
    # Each is too short by itself; the last is too far.
    assert _spans(_detect(rules, _scores(*shares))[0]) == [("a", 0.0, 0.8)]
    other = [(0.9, 0), (0, 0.9), (0.9, 0)]
    assert _spans(_detect(rules, _scores(*other))[0]) == [("a", 0.0, 0.6)]


def test_events_are_told_when_they_can_no_longer_grow():
    rules = EventRules(0.7, 0.5, least_seconds=0.0, merge_gap=0.4)
    shares = [(0.9, 0), (0, 0), (0, 0), (0, 0), (0.9, 0)]
    events, early = _detect(rules, _scores(*shares))
    assert _spans(early) == [("a", 0.0, 0.2)]
    assert _spans(events) == [("a", 0.0, 0.2), ("a", 0.8, 1.0)]


def test_events_are_told_by_start():
    rules = EventRules(0.7, 0.5, least_seconds=0.0, merge_gap=0.6)
    shares = [(0.9, 0), (0, 0.9), (0, 0.9), (0.9, 0)] + 20 * [(0.9, 0)]
    events, early = _detect(rules, _scores(*shares))
    # b is over long before a, which began first and goes on.
    assert not early
    assert _spans(events) == [("a", 0.0, 4.8), ("b", 0.2, 0.6)]


def test_event_ends_where_steps_are_missing():
    starts = [0.0, 0.2, 9.0, 9.2]
    events, _ = _detect(AT_ONCE, _scores(*4 * [(0.9, 0)]), starts)
    assert _spans(events) == [("a", 0.0, 0.4), ("a", 9.0, 9.4)]


def _label_scores(*rows):
    return [np.array(row, np.float64) for row in rows]


def _label_rules(on=(0.7, 0.3, 0.5), least_seconds=0.0, merge_gap=0.0):
    rules = LabelEventRules.of_thresholds(on)
    return dataclasses.replace(rules, least_seconds=least_seconds, merge_gap=merge_gap)


def test_events_of_several_labels_overlap_and_go_by_their_own_thresholds():
    rows = (0.6, 0.2, 0), (0.8, 0.4, 0), (0.6, 0.26, 0), (0.5, 0.25, 0), (0.9, 0, 0)
    events, _ = _detect(_label_rules(), _label_scores(*rows))
    # The first ends below 0.56, the second below 0.24.
    assert _spans(events) == [("a", 0.2, 0.6), ("b", 0.2, 0.8), ("a", 0.8, 1.0)]
    assert [event.score for event in events] == [0.8, 0.4, 0.9]


def test_background_is_no_event_among_several_labels_either():
    events, _ = _detect(_label_rules(), _label_scores((0, 0, 1), (0.9, 0, 1)))
    assert _spans(events) == [("a", 0.2, 0.4)]


def test_events_of_several_labels_are_merged_and_told_by_start():
    rules = _label_rules(least_seconds=0.5, merge_gap=0.4)
    rows = [(1, 0, 0), (0, 1, 0), (0, 1, 0), (1, 1, 0)] + 9 * [(1, 0, 0)]
    rows += [(0, 0.5, 0)] + 9 * [(0, 0, 0)]
    events, early = _detect(rules, _label_scores(*rows))
    # b is over long before a, which began first. The last of b is too short.
    assert _spans(events) == [("a", 0.0, 2.6), ("b", 0.2, 0.8)]
    assert early == events


def test_events_of_all_labels_end_where_steps_are_missing():
    events, _ = _detect(_label_rules(), _label_scores(*3 * [(1, 1, 0)]), [0, 0.2, 9])
    assert _spans(events) == [
        *(("a", 0.0, 0.4), ("b", 0.0, 0.4)),
        *(("a", 9.0, 9.2), ("b", 9.0, 9.2)),
    ]


def test_thresholds_of_float32_scores_are_rounded_as_these():
    rounded_up = np.float32(0.3)
    assert float(rounded_up) > 0.3
    # A threshold of a class, chosen among scores of that type.
    events, _ = _detect(
        _label_rules((0.7, float(rounded_up), 0.5)),
        [np.array([0, rounded_up, 0], np.float32)],
    )
    assert _spans(events) == [("b", 0.0, 0.2)]
    rounded_down = np.float32(0.7)
    assert float(rounded_down) < 0.7
    events, _ = _detect(_label_rules(), [np.array([rounded_down, 0, 0], np.float32)])
    assert _spans(events) == [("a", 0.0, 0.2)]


def test_nan_reaches_no_threshold():
    nan = np.full(3, np.nan)
    for rules in AT_ONCE, _label_rules():
        events, _ = _detect(rules, [np.array([0.9, 0, 0]), nan, nan, nan])
        assert _spans(events) == [("a", 0.0, 0.2)]
    label, score = NoneOfThese(LABELS, rules=AT_ONCE).answer(nan)
    assert label is None and np.isnan(score)


def test_threshold_of_zero_is_always_reached():
    events, _ = _detect(_label_rules((0, 1, 1)), _label_scores((0, 0, 0), (1, 0, 0)))
    assert _spans(events) == [("a", 0.0, 0.4)]


@pytest.mark.parametrize(
    "fields, words",
    [
        ({"on_thresholds": [0.5]}, "There are 1 on_thresholds and 2 off_thresholds"),
        ({"off_thresholds": [0.1, 0.8]}, "on-threshold 0.7 and the off-threshold 0.8"),
        ({"on_thresholds": [0.5, 1.5]}, "on-threshold 1.5 and the off-threshold 0.4"),
        ({"off_thresholds": [-0.1, 0]}, "both must be from 0 to 1"),
        ({"merge_gap": -1.0}, "merge_gap is -1: it must be 0 s or more"),
    ],
)
def test_label_rules_that_contradict_are_refused(fields, words):
    good = {"on_thresholds": [0.5, 0.7], "off_thresholds": [0.4, 0.4]}
    with pytest.raises(ValueError, match=words):
        LabelEventRules(**good | fields)


def test_label_rules_of_another_number_of_classes_are_refused():
    with pytest.raises(ValueError, match="for 2 classes, and the model has 3: give"):
        EventDetector(LABELS, LabelEventRules.of_thresholds([0.5, 0.5]))


@pytest.mark.parametrize(
    "fields, words",
    [
        ({"off_threshold": 0.8}, "off_threshold is 0.8, above on_threshold, which is"),
        ({"on_threshold": 1.5}, "on_threshold is 1.5: scores are probabilities"),
        ({"off_threshold": 0.0}, "off_threshold is 0: scores are probabilities"),
        ({"on_threshold": float("nan")}, "on_threshold is nan"),
        ({"least_seconds": -1.0}, "least_seconds is -1: it must be 0 s or more"),
        ({"merge_gap": float("inf")}, "merge_gap is inf: it must be 0 s or more"),
    ],
)
def test_rules_that_contradict_are_refused(fields, words):
    with pytest.raises(ValueError, match=words):
        EventRules(**{"on_threshold": 0.7, "off_threshold": 0.5} | fields)


def test_answer_is_none_below_the_threshold_and_for_background():
    rules = EventRules.of_threshold(0.7)
    with_rules = NoneOfThese(LABELS, rules=rules)
    assert with_rules.answer(np.log([0.8, 0.1, 0.1])) == ("a", pytest.approx(0.8))
    assert with_rules.answer(np.log([0.6, 0.3, 0.1])) == (None, pytest.approx(0.6))
    assert with_rules.answer(np.log([0.1, 0.1, 0.8])) == (None, pytest.approx(0.8))
    assert NoneOfThese(LABELS).answer(np.log([0.4, 0.3, 0.3]))[0] == "a"
    # A higher temperature makes scores more alike.
    warm = NoneOfThese(LABELS, 2.0, rules)
    assert warm.answer(np.log([0.8, 0.1, 0.1]))[0] is None
    assert [NoneOfThese(LABELS).may_say_none, NoneOfThese(["a"]).may_say_none] == [
        True,
        False,
    ]


def test_options_change_only_what_they_give():
    calibrated = EventRules(0.8, 0.4, 1.0, 2.0)
    assert EventOptions().rules(calibrated) == calibrated
    assert EventOptions().rules(None) is None
    # The off-threshold keeps its share of the on-threshold.
    assert EventOptions(on_threshold=0.4).rules(calibrated) == EventRules(
        0.4, 0.2, 1.0, 2.0
    )
    assert EventOptions(on_threshold=0.5).rules(None) == EventRules(0.5, 0.4)
    with pytest.raises(ValueError, match="merge_gap is given, but the file has no cal"):
        EventOptions(merge_gap=1.0).rules(None)
    with pytest.raises(ValueError, match="off_threshold is 0.9, above on_threshold"):
        EventOptions(off_threshold=0.9).rules(calibrated)


def test_files_of_events_hold_what_is_asked_for(tmp_path, capsys):
    event = Event(0.2, 1.0, "long jump, high", 0.75)
    for name in ("events.csv", "events.jsonl", "-"):
        path = name if name == "-" else str(tmp_path / name)
        file = EventFile(path)
        file.write(event)
        file.close()
    lines = (tmp_path / "events.csv").read_text().splitlines()
    assert lines == ["start,end,class,score", '0.2,1.0,"long jump, high",0.75']
    told = {"start": 0.2, "end": 1.0, "class": "long jump, high", "score": 0.75}
    assert json.loads((tmp_path / "events.jsonl").read_text()) == told
    assert json.loads(capsys.readouterr().out) == told
    with pytest.raises(ValueError, match=r"--events=events.txt: name a .csv or .jsonl"):
        EventFile("events.txt")


@pytest.fixture(scope="module")
def colors(tmp_path_factory):
    return write_colors(tmp_path_factory.mktemp("colors") / "colors.tflite")


@pytest.fixture(scope="module")
def several(colors):
    """The same with a sigmoid for each color."""
    output = manifest_of(colors)["output"]
    output |= {"activation": "sigmoid", "thresholds": [0.99, 0.9]}
    path = colors.with_name("several.tflite")
    return with_manifest(
        colors, path, ["red", "green"], format_version=3, output=output
    )


def _calibrated(path, target, rules, **fields):
    none_of_these = NoneOfThese(["red", "green"], rules=rules, **fields)
    entry = manifest_entry(none_of_these, {})
    add_to_manifest(path, target, {MANIFEST_KEY: entry})
    return target


def _frame(color):
    return np.full((8, 8, 3), color, np.uint8)


def _stream(session, colors):
    events = []
    for color in colors:
        session.push(_frame(color))
        events += session.events()
    session.flush()
    return events + session.events()


def test_calibration_in_a_file_gives_answers_and_events(colors, tmp_path):
    rules = EventRules(0.9, 0.6, least_seconds=0.4, merge_gap=0.2)
    path = _calibrated(colors, tmp_path / "calibrated.tflite", rules)
    assert manifest_of(path)[MANIFEST_KEY]["on_threshold"] == 0.9
    shown = 5 * [GRAY] + 5 * [RED] + 5 * [GRAY] + [GREEN] + 4 * [GRAY] + 4 * [GREEN]
    with StreamSession(path, find_events=True) as session:
        events = _stream(session, shown)
        assert _spans(events) == [("red", 1.0, 2.0), ("green", 4.0, 4.8)]
        assert session.answer()[0] == "green"
        session.push(_frame(GRAY))
        label, score = session.answer()
        assert label is None and score == pytest.approx(0.5)
        # `top` tells what the model gives.
        assert session.top(1)[0][1] == pytest.approx(0.5)
        session.reset()
        assert _spans(_stream(session, 5 * [RED])) == [("red", 0.0, 1.0)]


def test_rules_of_the_caller_come_first(colors, tmp_path):
    path = _calibrated(colors, tmp_path / "file.tflite", EventRules(0.9999, 0.9999))
    shown = 5 * [RED] + 5 * [GRAY]
    with StreamSession(path, find_events=True) as session:
        assert not _stream(session, shown)
    with StreamSession(path, find_events=EventRules(0.9, 0.8)) as session:
        assert _spans(_stream(session, shown)) == [("red", 0.0, 1.0)]


def test_times_of_events_are_those_of_the_stream(colors):
    with StreamSession(colors, find_events=EventRules(0.9, 0.6, 0.4, 0.0)) as session:
        # At twice the model's rate, then a jump by a minute.
        for index in range(20):
            color = RED if 4 <= index < 12 else GRAY
            session.push(_frame(color), 100.0 + index / 10)
        for index in range(10):
            session.push(_frame(GREEN), 160.0 + index / 10)
        session.flush(161.0)
        (red, green) = session.events()
    assert (red.label, green.label) == ("red", "green")
    assert (red.start, red.end) == pytest.approx((0.4, 1.2), abs=0.21)
    assert (green.start, green.end) == pytest.approx((60.0, 61.0), abs=0.21)


def test_memory_lets_answers_follow_a_long_stream(tmp_path):
    path = write_colors(tmp_path / "colors.tflite", remembers=True)
    shown = 100 * [RED] + 10 * [GREEN]
    rules = EventRules(0.7, 0.6)

    def last(memory_frames, path=path, **fields):
        with StreamSession(path, memory_frames=memory_frames, **fields) as session:
            for color in shown:
                session.push(_frame(color))
            return session.top(1)[0][0], session.logits()

    assert last(None)[0] == "red" and last(0)[0] == "red"
    name, logits = last(4)
    assert name == "green"
    # The mean forgets a quarter at each frame.
    assert logits == pytest.approx(8 * np.array([0.75**10, 1 - 0.75**10]), abs=1e-4)
    interpreted = last(4, runner="interpreter")[1]
    np.testing.assert_allclose(interpreted, logits, atol=1e-5)
    # As the file was calibrated.
    with_memory = tmp_path / "with_memory.tflite"
    _calibrated(path, with_memory, rules, memory_frames=4)
    assert last(None, with_memory)[0] == "green"
    assert last(0, with_memory)[0] == "red"
    with pytest.raises(ValueError, match="memory_frames is -1: it must be 0 or more"):
        last(-1)


def test_memory_changes_nothing_within_it(tmp_path):
    path = write_colors(tmp_path / "colors.tflite", remembers=True)
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (6, 8, 8, 3), np.uint8)
    logits = []
    for memory_frames in (0, 6):
        with StreamSession(path, memory_frames=memory_frames) as session:
            for frame in frames:
                session.push(frame)
            logits.append(session.logits())
    np.testing.assert_array_equal(*logits)


def test_session_without_rules_says_how_to_get_them(colors):
    with pytest.raises(ValueError, match="has no calibrated threshold: calibrate it"):
        StreamSession(colors, find_events=True)
    with pytest.raises(ValueError, match="has no calibrated threshold: calibrate it"):
        StreamSession(colors, find_events=np.True_)
    with StreamSession(colors) as session:
        with pytest.raises(ValueError, match="finds no events: open it with"):
            session.events()
        session.push(_frame(RED))
        assert session.answer()[0] == "red"


def test_session_finds_the_events_of_several_labels(several):
    shown = 4 * [BLACK] + 3 * [RED] + 4 * [YELLOW] + 4 * [GREEN] + 4 * [BLACK]
    expected = [("red", 0.8, 2.2), ("green", 1.4, 3.0)]
    with StreamSession(several, find_events=True) as session:
        assert _spans(_stream(session, shown)) == expected
        session.reset()
        assert not session.events()
        assert _spans(_stream(session, 5 * [YELLOW])) == [
            *(("red", 0.0, 1.0), ("green", 0.0, 1.0)),
        ]
    # An event goes on while the class is named, and below that to its off-threshold.
    with StreamSession(several) as session:
        for color, name in ((RED, "red"), (GREEN, "green"), (BLACK, None)):
            session.push(_frame(color))
            assert [label for label, _ in session.named()] == ([name] if name else [])
    rules = LabelEventRules((0.99, 1.0), (0.7, 0.9))
    with StreamSession(several, find_events=rules) as session:
        assert _spans(_stream(session, shown)) == expected[:1]


def test_rules_of_the_other_kind_of_model_are_refused(several, colors):
    with pytest.raises(ValueError, match="with its own threshold: give LabelEventR"):
        StreamSession(several, find_events=EventRules.of_threshold(0.7))
    with pytest.raises(ValueError, match="one class at a time: give EventRules"):
        StreamSession(colors, find_events=LabelEventRules.of_thresholds([0.7, 0.7]))
    with StreamSession(several, find_events=True) as session:
        session.push(_frame(RED))
        with pytest.raises(ValueError, match="answers and calibration are for models"):
            session.answer()


def test_model_of_several_labels_is_refused():
    refuse_several_labels("x.tflite", {"output": {"shape": [1, 2]}})
    with pytest.raises(ValueError, match="x.tflite is the file of a model with"):
        refuse_several_labels("x.tflite", {"output": {"activation": "sigmoid"}})


@pytest.mark.parametrize(
    "change",
    [
        {"on_threshold": 2},
        {"temperature": 0},
        {"temperature": "hot"},
        {"off_threshold": None},
        {"memory_frames": 0},
        {"memory_frames": 2.5},
        {"memory_frames": True},
        {"on_threshold": "0.9"},
        {"merge_gap": 10**400},
        {"temperature": True},
    ],
)
def test_damaged_calibration_is_told(colors, tmp_path, change):
    none_of_these = NoneOfThese(["red", "green"], rules=EventRules(0.7, 0.5))
    entry = manifest_entry(none_of_these, {}) | change
    path = tmp_path / "damaged.tflite"
    with_manifest(colors, path, ["red", "green"], **{MANIFEST_KEY: entry})
    with pytest.raises(ValueError, match="has thresholds that cannot be used"):
        StreamSession(path)
    # What is no entry at all says nothing.
    assert read_none_of_these("x", ["a"], {}) == NoneOfThese(["a"])
