"""Behavior of telling seconds from smaller units of time."""

import math
import re
import subprocess

import numpy as np
import pytest

from grw_tf.frames.time_unit import TimeUnit


def _feed(times, max_gap=1.0):
    unit = TimeUnit(max_gap)
    for time in times:
        unit.check(time)


@pytest.mark.parametrize("start", [0, 5_000, 1_764_000_000])
@pytest.mark.parametrize("rate", [1, 5, 10, 24, 25, 29.97, 30, 60, 120])
@pytest.mark.parametrize(
    "unit, divisor",
    [("milliseconds", 10**3), ("microseconds", 10**6), ("nanoseconds", 10**9)],
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
        [0, 0.04, 0.08, 40, 80, 120, 160],
        [math.nan, 0, 0.1],
        [0, 0.04, 3600, 3600.04, 3600.08, 7200, 10800, 14400],
        [0, 0.0, 0.04, 3600, 3600.04],
        [0, 3600, 3600.04, 7200, 7200.04, 10800],
        [0, 1, 3600, 7200, 7201, 7202],
        [0, 7, 30, 95, 95.04, 95.08],
        [0, 7, 30, 110, 400, 1400],
        [0] * 20 + [33, 66, 99],
        [0, 2, 4, 6, 8],
    ],
)
def test_seconds_with_gaps_are_seconds(times):
    _feed(times)


@pytest.mark.parametrize(
    "unit, times",
    [
        ("milliseconds", [0, 0, 33, 66, 100]),
        ("milliseconds", [5, 5, 45, 85, 125]),
        ("milliseconds", [3600, 0, 40, 80, 120]),
        ("milliseconds", [0, 1, 34, 67]),
        ("milliseconds", [0, 10, 66, 99]),
        ("milliseconds", [0, 66, 33, 99, 166, 133, 200]),
        ("milliseconds", [0, 200, 400, 1200]),
        ("milliseconds", [0, 33, 66, 2066, 2100]),
        ("milliseconds", [0, 0.4, 33.4, 66.7, 100, 133.3]),
        ("milliseconds", [0, 0, 33, 33, 66, 66, 100, 100]),
        ("nanoseconds", [0, 33e6, 66e6, 300e6]),
        ("nanoseconds", [0, 5, 33e6, 66e6, 100e6, 133e6]),
        ("microseconds", [0, 10, 33e3, 66e3, 1e6, 1.1e6]),
        ("90 kHz ticks", [0, 3003, 6006, 9009]),
        ("90 kHz ticks", [126_000, 129_600, 133_200, 136_800]),
        ("90 kHz ticks", [0, 0, 1501, 3003, 4504]),
        ("90 kHz ticks", [0, 3750, 7500, 15_000]),
    ],
)
def test_an_odd_step_hides_no_unit(unit, times):
    with pytest.raises(ValueError, match=f"look like {unit}: divide them by"):
        _feed(times)
    _feed([time / 1e9 for time in times])


def test_frames_wait_only_while_their_times_are_in_doubt():
    shown = [True, False, False, True, True, True]
    unit = TimeUnit(1.0)
    times = [0, 3600, 3600.04, 3600.08, 7200, 10800]
    assert [unit.check(time) for time in times] == shown
    unit.restart()
    assert all(unit.check(index / 30) for index in range(9))
    # An end of the doubt comes, whatever the times.
    unit.restart()
    same = [unit.check(time) for time in [0] + [33] * 20]
    assert same[:3] == [True, False, False] and same[-1]


def test_a_slow_time_lapse_is_told_what_to_do():
    with pytest.raises(ValueError, match="every 600 s, open the session with a max_g"):
        _feed([0, 600, 1200, 1800])
    _feed([0, 600, 1200, 1800, 2400, 3000], max_gap=601)


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


_CPP = """
#include "time_unit.h"
#include <iostream>
#include <stdexcept>
int main() {
  double max_gap, time;
  int count;
  while (std::cin >> max_gap >> count) {
    grw::TimeUnit unit(max_gap);
    for (int i = 0; i < count; ++i) {
      std::cin >> time;
      try {
        std::cout << unit.Check(time) << '|';
      } catch (const std::runtime_error& error) {
        std::cout << error.what() << '|';
      }
    }
    std::cout << std::endl;
  }
}
"""


def _times(seed):
    """Returns random times of some unit, with odd steps and gaps."""
    rng = np.random.default_rng(seed)
    now, times = float(rng.choice([0, 7, 1_764_000])), []
    step = rng.choice([0.04, 0.4, 10, 33, 40, 400, 3003, 33_333, 33e6])
    for _ in range(rng.integers(1, 16)):
        times.append(now)
        odd = rng.choice([0, -step, 0.3, 1, 50, 3600, 9 * step])
        now += float(step * rng.uniform(0.8, 1.2) if rng.random() < 0.6 else odd)
    return times


def _answers(times, max_gap):
    unit = TimeUnit(max_gap)
    for time in times:
        try:
            yield str(int(unit.check(time)))
        except ValueError as error:
            yield str(error)


def _numbers_apart(answer):
    """Returns the words and the numbers: both languages round as printf does."""
    numbers = re.findall(r"[-+.e\d]*\d", answer)
    return re.sub(r"[-+.e\d]*\d", "#", answer), [float(each) for each in numbers]


def test_unit_in_cpp_is_told_alike(build_cpp):
    program = build_cpp(_CPP, "time_unit.cc")
    cases = [(gap, _times(seed)) for seed in range(300) for gap in (1.0, 20.0)]
    given = "\n".join(f"{gap} {len(t)} {' '.join(map(repr, t))}" for gap, t in cases)
    done = subprocess.run(
        [program], input=given, capture_output=True, text=True, check=True
    )
    refused = 0
    for line, (gap, times) in zip(done.stdout.splitlines(), cases, strict=True):
        told, expected = line.split("|")[:-1], list(_answers(times, gap))
        refused += any("look like" in answer for answer in expected)
        assert [*map(_numbers_apart, told)] == [*map(_numbers_apart, expected)]
    assert 100 < refused < 500
