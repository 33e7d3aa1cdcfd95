"""Behavior of reading videos."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from drawn_videos import greys, write_video

from grw_tf.data import clip_folder
from grw_tf.data.listing.video_list import list_folder
from grw_tf.data.videos import clips
from grw_tf.frames.geometry import FrameGeometry

_ROOT = Path(__file__).parents[2]
GEOMETRY = FrameGeometry(32, "square")


def _levels(clip):
    return [round(level / 20) for level in clip.mean(axis=(1, 2, 3))]


@pytest.mark.parametrize(
    "count, pts, fps, levels",
    [
        (12, None, 5, [0, 2, 4, 6, 8, 10]),
        (4, None, 20, [0, 0, 1, 1, 2, 2, 3, 3]),
        (4, [5, 6, 10, 11], 10, [0, 1, 1, 1, 1, 2, 3]),
    ],
    ids=["dropped", "repeated", "uneven and late"],
)
def test_frames_are_taken_by_time_stamp(tmp_path, count, pts, fps, levels):
    path = write_video(tmp_path / "a.mkv", greys(count), pts=pts)
    times, frames = zip(*clips.stream_frames(path, fps, GEOMETRY), strict=True)
    np.testing.assert_allclose(times, np.arange(len(levels)) / fps)
    assert _levels(np.stack(frames)) == levels


def test_clip_is_the_middle_of_a_longer_video(tmp_path):
    path = write_video(tmp_path / "a.mp4", greys(12))
    assert _levels(clips.read_clip(path, 4, 10, GEOMETRY)) == [4, 5, 6, 7]
    assert _levels(clips.read_clip(path, 3, 10, GEOMETRY)) == [4, 5, 6]


def test_short_video_repeats_its_last_frame(tmp_path):
    path = write_video(tmp_path / "a.mp4", greys(3))
    clip = clips.read_clip(path, frames=5, fps=10, geometry=GEOMETRY)
    assert clip.shape == (5, 32, 32, 3) and clip.dtype == np.uint8
    assert _levels(clip) == [0, 1, 2, 2, 2]


@pytest.mark.parametrize("bad", [{"fps": 0}, {"frames": 0}])
def test_values_that_are_not_positive_are_refused(tmp_path, bad):
    path = write_video(tmp_path / "a.mp4", greys(3))
    with pytest.raises(ValueError, match=f"{next(iter(bad))} is "):
        clips.read_clip(path, **({"frames": 2, "fps": 5, "geometry": GEOMETRY} | bad))


def _class_folders(root, counts):
    for name, count in counts:
        for index in range(count):
            write_video(root / name / f"{name}{index}.mp4", greys(3))
    return root


def test_unreadable_videos_are_reported_and_left_out(tmp_path, caplog):
    root = _class_folders(tmp_path, (("jump", 2), ("run", 1)))
    (root / "jump/empty.mp4").touch()
    (root / "run/noise.avi").write_bytes(b"not a video")
    (root / "run/notes.txt").write_text("not meant as a video")
    read = clip_folder.load_clips(root, frames=2, fps=10, geometry=GEOMETRY)
    assert read.videos.shape == (3, 2, 32, 32, 3)
    assert read.labels.tolist() == [0, 0, 1] and read.labels.dtype == np.int64
    assert [path.name for path in read.paths] == ["jump0.mp4", "jump1.mp4", "run0.mp4"]
    assert "Left out 2 of 5 videos" in caplog.text
    assert "empty.mp4" in caplog.text and "noise.avi" in caplog.text


def test_errors_name_the_folder_and_what_was_expected(tmp_path):
    with pytest.raises(ValueError, match=r"absent is not a folder: expected class"):
        clip_folder.load_clips(tmp_path / "absent", 2, 10, GEOMETRY)
    one = _class_folders(tmp_path / "one", (("jump", 1),))
    with pytest.raises(ValueError, match=r"one has 1 classes .*at least two"):
        clip_folder.load_clips(one, 2, 10, GEOMETRY)
    for name in ("jump", "run"):
        (tmp_path / "none" / name).mkdir(parents=True)
        (tmp_path / "none" / name / "a.mp4").touch()
    with pytest.raises(ValueError, match=r"None of the 2 videos in .*none"):
        clip_folder.load_clips(tmp_path / "none", 2, 10, GEOMETRY)


def test_tensorflow_is_not_imported():
    code = "import sys, grw_tf.data.clip_folder; sys.exit('tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=_ROOT)


def test_odd_videos_are_read_whole(shared):
    paths = sorted((shared / "data" / "odd_videos").iterdir())
    assert len(paths) == 7
    for path in paths:
        clip = clips.read_clip(path, 8, 5, FrameGeometry(64, "square"))
        assert clip.shape == (8, 64, 64, 3)
        assert clip.std() > 10


def test_first_frame_of_every_shared_video_is_read(shared):
    videos = list_folder(shared / "data" / "videos")
    assert len(videos) == 239 and len({video.label for video in videos}) == 6
    for video in videos:
        time, frame = next(clips.stream_frames(video.path, fps=5, geometry=GEOMETRY))
        assert time == 0 and frame.shape == (32, 32, 3)
