"""Behavior of dividing videos into splits."""

import collections
import dataclasses
import random
from pathlib import Path

import pytest

from grw_tf.data.listing.splits import assign_splits
from grw_tf.data.listing.video_list import Video


def _videos(counts, group=None):
    return [
        Video(Path(name), name, label, "", group(name) if group else name)
        for label, count in counts.items()
        for name in (f"{label}/{index}.mp4" for index in range(count))
    ]


def _counts(videos):
    return collections.Counter((video.label, video.split) for video in videos)


def test_each_class_is_divided():
    counts = _counts(assign_splits(_videos({"jump": 50, "run": 20}), 0.1, 0.2))
    assert counts["jump", "test"] == 10 and counts["jump", "validation"] == 5
    assert counts["run", "test"] == 4 and counts["run", "validation"] == 2
    assert counts["jump", "train"] == 35 and counts["run", "train"] == 14


def test_small_classes_keep_training_clips():
    counts = _counts(assign_splits(_videos({"a": 1, "b": 2, "c": 3}), 0.1, 0.1))
    assert counts["a", "train"] == counts["b", "train"] == counts["c", "train"] == 1
    assert counts["b", "test"] == counts["c", "test"] == 1
    assert counts["c", "validation"] == 1


def test_split_depends_on_names_alone():
    videos = _videos({"jump": 30, "run": 20})
    expected = {v.name: v.split for v in assign_splits(videos, 0.1, 0.2)}
    random.Random(0).shuffle(videos)
    moved = [dataclasses.replace(v, path=Path("/moved") / v.path) for v in videos]
    assert {v.name: v.split for v in assign_splits(moved, 0.1, 0.2)} == expected


def test_groups_stay_whole_and_classes_near_their_share():
    # Each recording has clips of both classes, as falls and walks of one take.
    videos = _videos(
        {"fall": 200, "walk": 100}, lambda name: str(int(name[5:-4]) % 100 // 2)
    )
    divided = assign_splits(videos, 0.1, 0.2)
    splits = collections.defaultdict(set)
    for video in divided:
        splits[video.group].add(video.split)
    assert all(len(names) == 1 for names in splits.values())
    counts = _counts(divided)
    assert abs(counts["fall", "test"] - 40) <= 4
    assert abs(counts["walk", "test"] - 20) <= 2
    assert abs(counts["fall", "validation"] - 20) <= 4


def test_class_of_one_group_is_for_training():
    videos = _videos({"jump": 5, "run": 5}, lambda name: name.split("/")[0])
    assert {v.split for v in assign_splits(videos, 0.1, 0.2)} == {"train"}


def test_given_splits_are_kept():
    videos = [dataclasses.replace(v, split="test") for v in _videos({"a": 3})]
    assert assign_splits(videos, 0.1, 0.1) == videos
    with pytest.raises(ValueError, match="2 of 3 videos have no split, as a/1.mp4"):
        assign_splits([videos[0], *_videos({"a": 3})[1:]], 0.1, 0.1)


@pytest.mark.parametrize("fractions", [(-0.1, 0.1), (0.5, 0.5), (float("nan"), 0.1)])
def test_wrong_fractions_are_told(fractions):
    with pytest.raises(ValueError, match="they must be 0 or more"):
        assign_splits(_videos({"a": 3}), *fractions)
