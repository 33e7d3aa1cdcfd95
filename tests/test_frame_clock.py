"""Tests that frames with times are seen as `sample_frames` does in training."""

import math
from fractions import Fraction

import av
import numpy as np
import pytest

from grw_tf.data.video_frames import sample_frames
from grw_tf.streaming.frame_clock import FrameClock

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
