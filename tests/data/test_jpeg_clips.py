"""Behavior of reading videos as JPEG frames, of many formats."""

import av
import cv2
import numpy as np
import pytest
from drawn_videos import BLUE, RED, greys, write_video

from grw_tf.data.preparation import jpeg_clips
from grw_tf.data.preparation.jpeg_clips import read_jpegs
from grw_tf.data.videos import sampling


def _pictures(clip):
    """Returns the frames as int [frames, height, width, RGB]."""
    decoded = [cv2.imdecode(np.frombuffer(j, np.uint8), 1) for j in clip.frames]
    return np.stack(decoded)[..., ::-1].astype(int)


@pytest.mark.parametrize(
    "name, codec",
    [
        *(("a.mp4", "libx264"), ("a.mov", "libx265"), ("a.avi", "mpeg4")),
        *(("a.webm", "libvpx-vp9"), ("a.webm", "libvpx")),
        *(("a.gif", "gif"), ("a.MPG", "mpeg2video")),
    ],
)
def test_formats_are_read(tmp_path, name, codec):
    if codec not in av.codecs_available:
        pytest.skip(f"no {codec} encoder")
    rate = 25 if codec == "mpeg2video" else 10
    path = write_video(tmp_path / name, [RED, BLUE] * 5, rate=rate, codec=codec)
    clip = read_jpegs(path, fps=rate, short_side=24, quality=90)
    pictures = _pictures(clip)
    assert (clip.height, clip.width) == (24, 32)
    assert pictures.shape == (10, 24, 32, 3)
    assert pictures.mean(axis=(1, 2)).argmax(axis=-1).tolist() == [0, 2] * 5


def test_short_side_is_reduced_and_never_enlarged(tmp_path):
    path = write_video(tmp_path / "a.mp4", greys(3), size=(96, 48))
    sizes = [read_jpegs(path, 10, side, 90) for side in (24, 48, 300)]
    assert [(c.height, c.width) for c in sizes] == [(24, 48), (48, 96), (48, 96)]


def test_quality_changes_the_size(tmp_path):
    path = write_video(tmp_path / "a.mp4", [RED] * 3, right=BLUE)
    low, high = (read_jpegs(path, 10, 48, quality) for quality in (20, 95))
    assert len(low.frames[0]) < len(high.frames[0])


def test_frames_are_dropped_and_repeated_by_time_stamp(tmp_path):
    path = write_video(tmp_path / "a.mkv", greys(4), pts=[5, 6, 10, 11])
    levels = _pictures(read_jpegs(path, 10, 48, 90)).mean(axis=(1, 2, 3)) / 20
    assert levels.round().tolist() == [0, 1, 1, 1, 1, 2, 3]


@pytest.mark.parametrize("name", ["a.mp4", "a.avi", "a.gif", "a.mkv"])
def test_segment_is_that_of_the_whole_video(tmp_path, name):
    codec = "gif" if name == "a.gif" else "libx264"
    options = {} if codec == "gif" else {"g": "12", "bf": "3"}
    levels = [(i, 255 - i, 2 * i % 256) for i in range(60)]
    path = write_video(tmp_path / name, levels, codec=codec, **options)
    whole = read_jpegs(path, 10, 48, 90).frames
    assert len(whole) == 60
    for start, end in ((0, 2.5), (0.1, 3), (1.3, 2), (3.55, None), (5.9, 99)):
        first, count = int(10 * start + 1e-6), round(10 * ((end or 99) - start))
        expected = whole[first : first + count]
        segment = read_jpegs(path, 10, 48, 90, start, end).frames
        assert segment == expected, (start, end)


def test_segment_after_the_end_is_told(tmp_path):
    path = write_video(tmp_path / "a.mp4", greys(12))
    with pytest.raises(ValueError, match="a.mp4 ends at 1.2 s, before the start, 7 s"):
        read_jpegs(path, 5, 48, 90, start=7)


def test_decoded_frames_are_not_kept(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", greys(12) * 5)
    alive, most = set(), 0

    class Frame:
        def __init__(self, frame):
            self.frame = frame
            alive.add(id(self))

        def __getattr__(self, name):
            return getattr(self.frame, name)

        def __del__(self):
            alive.discard(id(self))

    original = sampling._timed_frames

    def counted(*arguments):
        nonlocal most
        for now, frame in original(*arguments):
            yield now, frame and Frame(frame)
            most = max(most, len(alive))

    monkeypatch.setattr(sampling, "_timed_frames", counted)
    assert len(read_jpegs(path, 10, 48, 90).frames) == 60
    assert most <= 4


def test_clip_that_no_record_holds_is_told(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", greys(3))
    monkeypatch.setattr(jpeg_clips, "_MAX_BYTES", 1000)
    with pytest.raises(ValueError, match="takes more than 2 GiB as JPEG frames"):
        read_jpegs(path, 10, 48, 90)
