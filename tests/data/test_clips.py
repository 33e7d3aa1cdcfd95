"""Behaviour of reading videos."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from drawn_videos import BLUE, RED, greys, write_video

from grw_tf.data import clip_folder
from grw_tf.data.videos import clips
from grw_tf.frames.geometry import FrameGeometry

_ROOT = Path(__file__).parents[2]
GEOMETRY = FrameGeometry(32, "square")


def _levels(clip):
    return [round(level / 20) for level in clip.mean(axis=(1, 2, 3))]


def test_frames_are_dropped_by_time_stamp(tmp_path):
    path = write_video(tmp_path / "a.mp4", greys(12), rate=10)
    times, frames = zip(
        *clips.stream_frames(path, fps=5, geometry=GEOMETRY), strict=True
    )
    np.testing.assert_allclose(times, np.arange(6) / 5)
    assert _levels(np.stack(frames)) == [0, 2, 4, 6, 8, 10]


def test_frames_are_repeated_by_time_stamp(tmp_path):
    path = write_video(tmp_path / "a.mp4", greys(4), rate=10)
    frames = [
        frame for _, frame in clips.stream_frames(path, fps=20, geometry=GEOMETRY)
    ]
    assert _levels(np.stack(frames)) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_uneven_time_stamps_that_start_late_are_honoured(tmp_path):
    path = write_video(tmp_path / "a.mkv", greys(4), rate=10, pts=[5, 6, 10, 11])
    frames = [
        frame for _, frame in clips.stream_frames(path, fps=10, geometry=GEOMETRY)
    ]
    assert _levels(np.stack(frames)) == [0, 1, 1, 1, 1, 2, 3]


def test_clip_is_the_middle_of_a_longer_video(tmp_path):
    path = write_video(tmp_path / "a.mp4", greys(12))
    assert _levels(clips.read_clip(path, frames=4, fps=10, geometry=GEOMETRY)) == [
        4,
        5,
        6,
        7,
    ]
    assert _levels(clips.read_clip(path, frames=3, fps=10, geometry=GEOMETRY)) == [
        4,
        5,
        6,
    ]


def test_short_video_repeats_its_last_frame(tmp_path):
    path = write_video(tmp_path / "a.mp4", greys(3))
    clip = clips.read_clip(path, frames=5, fps=10, geometry=GEOMETRY)
    assert clip.shape == (5, 32, 32, 3) and clip.dtype == np.uint8
    assert _levels(clip) == [0, 1, 2, 2, 2]


def test_gif_is_read(tmp_path):
    path = write_video(tmp_path / "a.gif", [RED, BLUE, RED], rate=10, codec="gif")
    clip = clips.read_clip(path, frames=3, fps=10, geometry=GEOMETRY)
    assert clip[:, 16, 16].argmax(axis=-1).tolist() == [0, 2, 0]


@pytest.mark.parametrize(
    "rotation, red_side",
    [(0, np.s_[:, :8]), (90, np.s_[-8:]), (180, np.s_[:, -8:]), (-90, np.s_[:8])],
)
def test_rotation_metadata_is_honoured(tmp_path, rotation, red_side):
    path = write_video(tmp_path / "a.mp4", [RED] * 3, rotation=rotation, right=BLUE)
    frame = clips.read_clip(path, frames=1, fps=10, geometry=GEOMETRY)[0].astype(int)
    assert (frame[red_side][..., 0] > 200).all()
    assert (frame[:, :, 0] > 200).mean() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("bad", [{"fps": 0}, {"frames": 0}])
def test_values_that_are_not_positive_are_refused(tmp_path, bad):
    path = write_video(tmp_path / "a.mp4", greys(3))
    with pytest.raises(ValueError, match=f"{next(iter(bad))} is "):
        clips.read_clip(path, **({"frames": 2, "fps": 5, "geometry": GEOMETRY} | bad))


def _class_folders(root, counts=(("jump", 5), ("run", 10))):
    for name, count in counts:
        for index in range(count):
            write_video(root / name / f"{name}{index}.mp4", greys(3))
    return root


def test_hashed_split_is_stratified_reproducible_and_complete(tmp_path):
    root = _class_folders(tmp_path)
    train, test = (clip_folder.find_clips(root, split) for split in ("train", "test"))
    assert np.bincount(test.labels).tolist() == [1, 2]
    assert np.bincount(train.labels).tolist() == [4, 8]
    assert not set(train.paths) & set(test.paths)
    assert clip_folder.find_clips(root, "test") == test
    assert len(clip_folder.find_clips(root).paths) == 15


def test_split_folders_are_honoured(tmp_path):
    _class_folders(tmp_path / "train", (("jump", 1), ("run", 2)))
    _class_folders(tmp_path / "test", (("jump", 1), ("run", 1)))
    found = clip_folder.find_clips(tmp_path, "train")
    assert found.class_names == ("jump", "run") and found.labels == (0, 1, 1)
    assert len(clip_folder.find_clips(tmp_path, "test").paths) == 2


def test_splits_csv_is_honoured(tmp_path):
    root = _class_folders(tmp_path, (("jump", 2), ("run", 2)))
    (root / "splits.csv").write_text(
        "path,label,split,source_video\njump/jump0.mp4,jump,test,a\n"
        "jump/jump1.mp4,jump,train,b\nrun/run0.mp4,run,test,c\n"
        "run/run1.mp4,run,unlisted,d\n"
    )
    test = clip_folder.find_clips(root, "test")
    assert test.paths == (root / "jump/jump0.mp4", root / "run/run0.mp4")
    assert len(clip_folder.find_clips(root, "train").paths) == 1
    assert len(clip_folder.find_clips(root).paths) == 4
    (root / "splits.csv").write_text("path,label\n")
    with pytest.raises(ValueError, match="lacks the columns"):
        clip_folder.find_clips(root)


def test_classes_restrict_and_order_the_labels(tmp_path):
    root = _class_folders(tmp_path, (("jump", 1), ("run", 1), ("walk", 1)))
    found = clip_folder.find_clips(root, classes=["walk", "jump"])
    assert found.class_names == ("walk", "jump")
    assert [path.parent.name for path in found.paths] == ["jump", "walk"]
    assert found.labels == (1, 0)
    with pytest.raises(ValueError, match=r"no videos of \['fly'\]"):
        clip_folder.find_clips(root, classes=["fly", "run"])


def test_unreadable_videos_are_reported_and_left_out(tmp_path, caplog):
    root = _class_folders(tmp_path, (("jump", 2), ("run", 1)))
    (root / "jump/empty.mp4").touch()
    (root / "run/noise.avi").write_bytes(b"not a video")
    (root / "run/notes.txt").write_text("not meant as a video")
    read = clip_folder.load_clips(root, frames=2, fps=10, geometry=GEOMETRY)
    assert read.videos.shape == (3, 2, 32, 32, 3)
    assert read.labels.tolist() == [0, 0, 1] and read.labels.dtype == np.int64
    assert [path.name for path in read.paths] == ["jump0.mp4", "jump1.mp4", "run0.mp4"]
    assert len(read.unreadable) == 2
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
        clip = clips.read_clip(
            path, frames=8, fps=5, geometry=FrameGeometry(64, "square")
        )
        assert clip.shape == (8, 64, 64, 3)
        assert clip.std() > 10


def test_first_frame_of_every_shared_video_is_read(shared):
    found = clip_folder.find_clips(shared / "data" / "videos")
    assert len(found.paths) == 239 and len(found.class_names) == 6
    for path in found.paths:
        time, frame = next(clips.stream_frames(path, fps=5, geometry=GEOMETRY))
        assert time == 0 and frame.shape == (32, 32, 3)


def test_shared_split_is_the_listed_one(shared):
    names = ("kickflip", "ollie")
    train, test = (
        clip_folder.find_clips(shared / "data" / "videos", split, names)
        for split in ("train", "test")
    )
    assert (len(train.paths), len(test.paths)) == (150, 38)
