"""Behaviour of telling seconds from smaller units of time."""

import math

import pytest

from grw_tf.streaming.time_unit import TimeUnit


def _feed(times, max_gap=1.0):
    unit = TimeUnit(max_gap)
    for time in times:
        unit.check(time)


@pytest.mark.parametrize("start", [0, 5_000, 1_764_000_000])
@pytest.mark.parametrize("rate", [1, 5, 10, 24, 25, 29.97, 30, 60, 120])
@pytest.mark.parametrize(
    "unit, divisor",
    [
        ("milliseconds", 1000),
        ("microseconds", 1_000_000),
        ("nanoseconds", 1_000_000_000),
    ],
)
def test_smaller_units_are_told(start, rate, unit, divisor):
    times = [round((start + index / rate) * divisor) for index in range(4)]
    with pytest.raises(ValueError, match=f"look like {unit}: divide them by {divisor}"):
        _feed(times)
    _feed([time / divisor for time in times])


def test_uneven_milliseconds_are_told():
    with pytest.raises(ValueError, match="0, 33, 100, 133 look like milliseconds"):
        _feed([0, 33, 100, 133])


@pytest.mark.parametrize(
    "times",
    [
        [0, 3600, 3600.04, 3600.08, 3600.12],
        [0, 0.04, 3600, 7200, 10800],
        [0, 1_764_000_000, 1_764_000_000.04, 1_764_000_000.08],
        [0, 3600, 7200, 7200.04],
        [0, 5, 65, 67_000],
        [0, 5, 10, 15, 20],
        [3600, 0, 40, 80, 120],
        [5, 5, 45, 85, 125],
        [0, 0.04, 0.08, 40, 80, 120, 160],
        [math.nan, 0, 0.1],
        ["x", None, 0, 1],
    ],
)
def test_seconds_with_gaps_are_seconds(times):
    _feed(times)


def test_steady_frames_far_apart_need_a_gap_as_long():
    times = [0, 10, 20, 30, 40]
    with pytest.raises(ValueError, match="does come every 10 s, open .* max_gap above"):
        _feed(times)
    _feed(times, max_gap=12.0)


def test_each_stream_is_asked_anew_and_again():
    unit = TimeUnit(1.0)
    for time in (0, 0.1):
        unit.check(time)
    unit.restart()
    for time in (0, 33, 67):
        unit.check(time)
    for time in (100, 133):
        with pytest.raises(ValueError, match="look like milliseconds"):
            unit.check(time)
