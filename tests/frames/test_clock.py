"""Tests that frames with times are seen as `sample_frames` does in training."""

import math
import subprocess
from fractions import Fraction

import av
import numpy as np
import pytest

from grw_tf.data.videos import sampling
from grw_tf.data.videos.sampling import sample_frames
from grw_tf.data.videos.stream_choice import open_video
from grw_tf.frames.clock import FrameClock

TOO_MANY = 255


def _write(path, times, size=(64, 48)):
    """Writes a video of frames of levels 0, 1, ... at times in seconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"qp": "0"})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv444p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for index, time in enumerate(times):
            image = np.full((size[1], size[0], 3), index % TOO_MANY, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = round(time * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def _seen(path, fps):
    """Returns indices of the frames that a stream sees, from the decoder's times."""
    clock, seen, shown = FrameClock(fps, max_gap=math.inf), [], None
    with av.open(str(path)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            seen += [shown] * clock.arrive(frame.time)
            shown, last = index, frame
        end = frame.time + float(last.duration * last.time_base)
    return seen + [shown] * clock.end(end)


def _sampled(path, fps):
    """Returns indices of the frames that training sees."""
    with av.open(str(path)) as container:
        indices = {
            frame.pts: index for index, frame in enumerate(container.decode(video=0))
        }
    return [indices[frame.pts] for _, frame in sample_frames(path, fps)]


def _irregular(count):
    return np.cumsum(np.random.default_rng(0).uniform(0.004, 0.3, count))


@pytest.mark.parametrize(
    "times",
    [
        np.arange(90) / 30,
        np.arange(75) / 25 + 5,
        np.arange(72) * 1.001 / 24,
        np.arange(12) / 2,
        _irregular(60),
        [0, 0.1, 4.0, 4.02, 9.5],
        [0],
    ],
    ids=["30", "25 from 5 s", "23.976", "slower", "irregular", "slides", "single"],
)
@pytest.mark.parametrize("fps", [5, 12, 7.5])
def test_stream_sees_the_frames_of_training(tmp_path, times, fps):
    path = _write(tmp_path / "video.mp4", times)
    assert _seen(path, fps) == _sampled(path, fps)


def test_video_lasts_as_long_as_its_last_interval():
    clock = FrameClock(5)
    assert [clock.arrive(time) for time in (0.0, 0.5)] == [0, 3]
    # Until 1.0 s: ticks at 0.6 and 0.8.
    assert clock.end() == 2
    assert clock.end() == 0


def test_next_video_begins_with_its_own_ticks():
    clock = FrameClock(5)
    clock.arrive(0.0)
    clock.end()
    assert [clock.arrive(time) for time in (70.1, 70.2, 70.31)] == [0, 1, 1]


def test_frame_that_is_not_later_takes_the_place_of_the_one_before(caplog):
    clock = FrameClock(5)
    counts = [clock.arrive(time) for time in (0.0, 0.3, 0.3, 0.25, 0.3, 0.5)]
    # The tick at 0.2 falls to the first; the one at 0.4 to the last before 0.5.
    assert counts == [0, 2, 0, 0, 0, 1]
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert "The frame at 0.300 s comes after one at 0.300 s" in caplog.text


def test_gap_is_not_filled_with_repeats(caplog):
    clock = FrameClock(5, max_gap=1.0)
    assert clock.arrive(0.0) == 0
    # Ticks at 0 to 0.8 s, and then those of the frame after the gap.
    assert clock.arrive(3600.1) == 5
    assert clock.arrive(3600.2) == 1
    assert clock.arrive(7200.0) == 5
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert "Time jumps from 0.000 to 3600.100 s" in caplog.text


def test_clock_set_back_begins_anew(caplog):
    clock = FrameClock(5, max_gap=1.0)
    counts = [clock.arrive(time) for time in (100.0, 100.2, 0.0, 0.2, 0.4)]
    assert counts == [0, 1, 1, 1, 1]
    assert "Time jumps from 100.200 to 0.000 s" in caplog.text


@pytest.mark.parametrize(
    "time", [math.nan, math.inf, "1", 1j, 10**400, [0]], ids=lambda time: repr(time)[:9]
)
def test_time_must_be_a_number(time):
    clock = FrameClock(5)
    with pytest.raises(ValueError, match="must be a number of seconds"):
        clock.arrive(time)
    clock.arrive(0)
    if time != math.inf:
        with pytest.raises(ValueError, match="must be a number of seconds"):
            clock.end(time)
    # The frame on screen is not lost.
    assert clock.end(math.inf) == 5


def test_times_may_be_of_any_type_of_numbers():
    clock = FrameClock(5)
    times = [0, Fraction(1, 5), np.float32(0.4), np.array(0.6), np.int64(1)]
    assert [clock.arrive(time) for time in times] == [0, 1, 1, 1, 2]


def test_clock_set_back_by_less_than_a_second_loses_one_frame_at_most():
    times = list(np.arange(12) / 30) * 3
    clock, counts = FrameClock(30), []
    for time in times:
        counts.append(clock.arrive(time))
    counts.append(clock.end())
    # Each frame has its tick; where the clock is set back, two fall to the second.
    assert sum(counts) == len(times)
    assert counts.count(0) == 1 + 2
    assert max(counts) == 2


def test_frames_out_of_order_take_no_time(caplog):
    # As an AVI file of H.264 with B-frames gives them.
    times = [0.1, 0.4, 0.3, 0.5, 0.2, 0.8, 0.7, 0.9, 0.6, 1.2, 1.1, 1.3, 1.0]
    clock = FrameClock(10)
    count = sum(clock.arrive(time) for time in times) + clock.end(1.4)
    assert count == 13
    assert all("overlap" in record.message for record in caplog.records)


def test_frames_without_times_come_an_interval_apart():
    clock = FrameClock(5, interval=0.1)
    counts = [clock.arrive(None) for _ in range(5)]
    assert counts == [0, 1, 0, 1, 0]
    assert clock.position == pytest.approx(0.4)
    clock = FrameClock(10)
    assert [clock.arrive(time) for time in (7.0, 7.3, None, None)] == [0, 3, 3, 3]
    assert clock.time == pytest.approx(7.9)


def test_stamps_of_before_and_after_an_overflow_may_alternate():
    overflow = 2**33 / 90_000
    times = [overflow - 1 + index / 10 for index in range(20)]
    late = {11, 13}
    stamps = [
        time - overflow if time >= overflow and index not in late else time
        for index, time in enumerate(times)
    ]
    assert _told(FrameClock(10), stamps) == [1] * 20


def test_times_that_are_rounded_are_set_back_by_the_interval_that_is_given():
    stamps = [round(index / 30, 3) for index in range(60)] * 2
    clock = FrameClock(5, interval=1 / 30)
    count = sum(clock.arrive(stamp) for stamp in stamps)
    assert count + clock.end(clock.time + 1 / 30) == 20


def test_gaps_of_some_seconds_are_stills():
    clock = FrameClock(5, max_gap=1.0)
    assert [clock.arrive(time) for time in (0, 4, 13.9)] == [0, 20, 50]
    assert clock.arrive(23.91) == 5
    assert clock.position == pytest.approx(23.91)
    longer = FrameClock(5, max_gap=20.0)
    assert [longer.arrive(time) for time in (0, 19, 3600)] == [0, 95, 100]


def test_ticks_begin_at_the_start(caplog):
    clock = FrameClock(5, start=50.0)
    assert [clock.arrive(time) for time in (0, 49.9, 50.3, 50.5)] == [0, 0, 2, 1]
    # Nothing was repeated before the start.
    assert not caplog.records
    assert clock.position == 50.5


def _stamps(seed):
    """Returns random times in seconds, to the millisecond, that jump now and then."""
    rng = np.random.default_rng(seed)
    now, stamps = rng.uniform(0, 100), []
    for _ in range(rng.integers(1, 80)):
        stamps.append(round(float(now), 3))
        if rng.random() < 0.04:
            # One stamp of another clock.
            stamps.append(stamps[-1] + float(rng.choice([-500, 500])))
        kind = rng.random()
        if kind < 0.04:
            now = rng.choice([0.0, now - 0.5, now - 1.5])
        elif kind < 0.08:
            now += rng.choice([5, 9.99, 10.01, 3600])
        elif kind < 0.15:
            now -= rng.choice([0, 0.03, 0.06])
        else:
            now += rng.choice([0.033, 0.034, 0.2])
    return stamps


def _told(clock, stamps, end=None):
    """Returns how often a stream sees each of the frames at these times."""
    return [*[clock.arrive(stamp) for stamp in stamps][1:], clock.end(end)]


class _Frame:
    """A decoded frame of a time."""

    duration = 0

    def __init__(self, time):
        self.time = time


@pytest.mark.parametrize("fps", [5, 12, 7.5])
def test_training_sees_what_a_stream_sees_whatever_the_times(
    tmp_path, monkeypatch, fps
):
    path = _write(tmp_path / "video.mp4", [0, 0.1])
    with open_video(path, 1) as (_, stream):
        step = 1 / float(stream.guessed_rate)
    for seed in range(200):
        stamps = _stamps(seed)
        frames = [_Frame(stamp) for stamp in stamps]
        monkeypatch.setattr(sampling, "_decode", lambda *_, f=frames: f)
        sampled = [frame for _, frame in sample_frames(path, fps)]
        counts = [sum(each is frame for each in sampled) for frame in frames]
        clock = FrameClock(fps, interval=step)
        told = [clock.arrive(stamp) for stamp in stamps][1:]
        assert counts[:-1] == told, seed
        assert counts[-1] == clock.end(clock.time + step), seed
        # Bounded, and in order.
        assert sum(counts) <= fps * 10 * len(stamps) + 1
        assert [frames.index(frame) for frame in sampled] == sorted(
            np.repeat(np.arange(len(frames)), counts)
        )


_CPP = """
#include "frame_clock.h"
#include <iostream>
int main() {
  double fps;
  int count;
  while (std::cin >> fps >> count) {
    grw::FrameClock clock(fps, 1.0, nullptr);
    double time;
    for (int i = 0; i < count; ++i) {
      std::cin >> time;
      const int ticks = clock.Arrive(time);
      if (i) std::cout << ticks << ' ';
    }
    std::cout << clock.End() << std::endl;
  }
}
"""


def test_clock_in_cpp_tells_the_same(build_cpp):
    program = build_cpp(_CPP, "frame_clock.cc")
    cases = [(fps, _stamps(seed)) for seed in range(100) for fps in (5, 7.5)]
    given = "\n".join(f"{fps} {len(s)} {' '.join(map(repr, s))}" for fps, s in cases)
    done = subprocess.run(
        [program], input=given, capture_output=True, text=True, check=True
    )
    told = [list(map(int, line.split())) for line in done.stdout.splitlines()]
    assert told == [_told(FrameClock(fps), stamps) for fps, stamps in cases]
