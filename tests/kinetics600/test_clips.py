"""Behavior of reading the clips of the published evaluation."""

from fractions import Fraction

import numpy as np
import pytest
from drawn_videos import BLUE, RED, greys, write_video

from grw_tf.data.listing.video_list import Video
from grw_tf.data.videos.clips import read_clip
from grw_tf.frames.geometry import FrameGeometry
from grw_tf.kinetics600.clips import ClipRule, ClipTask, read_published_clips

GEOMETRY = FrameGeometry(32, "square")


def _read(path, frames=3, fps=5.0, **rule):
    video = Video(path, path.name, "a", "", path.name)
    return read_published_clips(
        ClipTask(video, ClipRule(frames, fps, GEOMETRY, **rule))
    )


def _levels(read):
    """Returns the numbers of the frames, whose levels are 20 k."""
    return (read.clips.mean(axis=(2, 3, 4)) * 255 / 20).round().astype(int).tolist()


def test_windows_follow_each_other_from_the_first_frame(tmp_path):
    path = write_video(tmp_path / "a.mp4", greys(13), rate=10)
    read = _read(path)
    assert read.clips.shape == (2, 3, 32, 32, 3) and read.clips.dtype == np.float32
    assert _levels(read) == [[0, 2, 4], [6, 8, 10]]
    assert not read.too_short


def test_this_is_not_the_clip_of_training(tmp_path):
    path = write_video(tmp_path / "a.mp4", greys(13), rate=10)
    middle = read_clip(path, 3, 5, GEOMETRY).mean(axis=(1, 2, 3)) / 20
    assert middle.round().astype(int).tolist() == [4, 6, 8]


@pytest.mark.parametrize(
    ("rate", "count", "fps", "expected"),
    [
        # Steps 5.994, 4.795, 3, 1 and 0.417.
        ("30000/1001", 13, 5.0, [[0, 5]]),
        ("30000/1001", 11, 5.0, []),
        ("24000/1001", 10, 5.0, [[0, 4]]),
        ("15", 4, 5.0, [[0, 3]]),
        ("5", 5, 5.0, [[0, 1], [2, 3]]),
        ("5", 2, 12.0, [[0, 0], [0, 1]]),
    ],
)
def test_rates_are_those_of_the_file(tmp_path, rate, count, fps, expected):
    path = write_video(tmp_path / "a.mp4", greys(count), rate=Fraction(rate))
    assert _levels(_read(path, frames=2, fps=fps)) == expected


def test_frames_of_variable_rate_go_by_their_number(tmp_path):
    # 8 frames in 1.6 s, the fifth after a pause of 0.9 s: 5 a second on average.
    pts = [0, 1, 2, 3, 12, 13, 14, 15]
    path = write_video(tmp_path / "a.mp4", greys(8), rate=10, pts=pts)
    assert _levels(_read(path, frames=4)) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    by_time = read_clip(path, 8, 5, GEOMETRY).mean(axis=(1, 2, 3)) / 20
    assert by_time.round().astype(int).tolist() == [0, 2, 3, 3, 3, 3, 4, 6]


def test_short_videos_have_no_clip(tmp_path):
    path = write_video(tmp_path / "a.mp4", greys(4), rate=10)
    read = _read(path)
    assert read.too_short
    assert read.clips.shape == (0, 3, 32, 32, 3)


def test_short_videos_have_one_if_their_last_frame_is_repeated(tmp_path):
    path = write_video(tmp_path / "a.mp4", greys(4), rate=10)
    read = _read(path, frames=4, repeat_last=True)
    assert read.too_short
    assert _levels(read) == [[0, 2, 2, 2]]
    # Even of less than a sample.
    path = write_video(tmp_path / "b.mp4", greys(2), rate=30)
    assert _levels(_read(path, repeat_last=True)) == [[0, 0, 0]]
    path = write_video(tmp_path / "c.mp4", greys(6), rate=10)
    assert not _read(path, repeat_last=True).too_short


def test_frames_are_as_they_are_stored(tmp_path):
    turned = write_video(tmp_path / "a.mp4", [RED] * 6, right=BLUE, rotation=90)
    left, right = _read(turned).clips[0, 0, 16, [2, 29]]
    assert left[0] > 0.9 > 0.1 > left[2]
    assert right[2] > 0.9 > 0.1 > right[0]


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "is empty"), (b"not a video" * 100, "Invalid data"), (None, "No such file")],
)
def test_what_cannot_be_read_says_why(tmp_path, content, reason):
    path = tmp_path / "a.mp4"
    if content is not None:
        path.write_bytes(content)
    assert reason in _read(path)


def test_half_a_file_cannot_be_read(tmp_path):
    path = write_video(tmp_path / "a.mp4", greys(12), rate=10)
    path.write_bytes(path.read_bytes()[:-700])
    assert isinstance(_read(path), str)


def test_want_of_memory_is_not_the_videos_fault(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", greys(8), rate=5)

    def exhausted(arrays):
        raise MemoryError

    monkeypatch.setattr(np, "stack", exhausted)
    with pytest.raises(ChildProcessError, match="Memory ran out at a.mp4: .*workers"):
        _read(path)


@pytest.mark.parametrize("name", ["a.mp4", "a.avi"])
def test_titles_need_not_be_text(tmp_path, name):
    path = write_video(tmp_path / name, greys(8), rate=5, title="a title")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"a title", b"a t\xeftle"))
    assert path.read_bytes() != content
    assert _levels(_read(path)) == [[0, 1, 2], [3, 4, 5]]
    # Nor where frames are taken by time, from the middle on.
    assert read_clip(path, 3, 5, GEOMETRY).shape == (3, 32, 32, 3)
