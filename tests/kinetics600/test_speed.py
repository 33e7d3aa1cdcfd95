"""Tests of counting how fast clips are predicted."""

import pytest
import tensorflow as tf

from grw_tf.kinetics600 import speed
from grw_tf.kinetics600.speed import RunSpeed


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets."""
    now = [0.0]
    monkeypatch.setattr(speed.time, "monotonic", lambda: now[0])
    return now


def test_rate_is_of_what_follows_the_first_batch(clock):
    speed = RunSpeed()
    assert speed.clips_per_second() is None
    speed.wait(30.0)
    clock[0] = 60.0
    speed.add(8)
    # Of one batch alone, compiling counts.
    assert speed.clips_per_second() == pytest.approx(8 / 60)
    speed.wait(1.0)
    clock[0] = 64.0
    speed.add(8)
    clock[0] = 65.0
    speed.add(4)
    assert speed.clips_per_second() == pytest.approx(12 / 5)
    assert speed.clips == 20
    found = speed.to_dict(tf.distribute.OneDeviceStrategy("CPU:0"), 8, 60_000)
    assert found["hours_for_test_clips"] == pytest.approx(60_000 * 5 / 12 / 3600)
    assert found["share_of_time_waiting_for_clips"] == pytest.approx(0.2)
    assert found["compiled_apart"] and found["clips"] == 20
    assert found["devices"] == ["CPU:0"]


def test_speed_of_nothing_is_unknown(clock):
    found = RunSpeed().to_dict(tf.distribute.OneDeviceStrategy("CPU:0"), 8, 60_000)
    assert found["clips_per_second"] is found["hours_for_test_clips"] is None
    assert found["share_of_time_waiting_for_clips"] is None
