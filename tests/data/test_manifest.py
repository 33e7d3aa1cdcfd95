"""Behavior of the manifest and the report of it."""

from pathlib import Path

from grw_tf.data.listing.video_list import Video
from grw_tf.data.preparation.manifest import describe, report


def _videos(count, label, split):
    names = [f"{label}/{split}{index}.mp4" for index in range(count)]
    return [Video(Path(name), name, label, split, name) for name in names]


def test_clips_and_frames_are_counted():
    videos = _videos(3, "run", "train") + _videos(2, "jump", "train")
    videos += _videos(1, "run", "test")
    shards = {"train": [{"bytes": 10}], "test": []}
    found = describe(videos, ("jump", "run"), [5, 6, 7, 8, "bad", 9], shards)
    train = found["splits"]["train"]
    assert train["clips"] == 4 and train["frames"] == 26
    assert train["classes"] == {"jump": 1, "run": 3}
    assert train["majority_share"] == 0.75
    assert found["splits"]["test"]["classes"] == {"jump": 0, "run": 1}
    path = "jump/train1.mp4"
    failure = {"path": path, "split": "train", "label": "jump", "reason": "bad"}
    assert found["failures"] == [failure]


def test_report_of_many_failures_is_cut():
    videos = _videos(150, "run", "train")
    found = {"videos": 150} | describe(videos, ("run",), ["bad"] * 150, {})
    lines = report(found).strip().splitlines()
    assert lines[0] == "150 of 150 videos are left out:"
    assert len(lines) == 102 and lines[-1] == "and 50 more"
