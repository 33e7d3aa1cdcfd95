"""Divides videos into training, validation and test splits, deterministically."""

import collections
import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import PurePosixPath

from grw_tf.data.listing.video_list import Video


def assign_splits(
    videos: Sequence[Video], validation_fraction: float, test_fraction: float
) -> list[Video]:
    """Gives each video a split, if none has one.

    Groups are ordered by the hashes of their names. The first groups of each class go
    to the test split and the next to the validation split: as many as bring the count
    of videos in each class nearest to its fraction, and at least one. A group is never
    divided, and every class keeps videos in the training split. The hash is of the last
    part of the name, so the splits stay the same if folders move. A video with several
    classes counts for each of them; those without any count as a class of their own.

    Raises:
        ValueError: If only some of the videos have splits, or the fractions leave
            nothing to train on.
    """
    if not (min(validation_fraction, test_fraction) >= 0) or not (
        validation_fraction + test_fraction < 1
    ):
        raise ValueError(
            f"validation_fraction is {validation_fraction} and test_fraction is"
            f" {test_fraction}: they must be 0 or more, and less than 1 together."
        )
    without = [video for video in videos if not video.split]
    if without and len(without) < len(videos):
        raise ValueError(
            f"{len(without)} of {len(videos)} videos have no split, as"
            f" {without[0].name}: give a split to all, or to none."
        )
    if not without:
        return list(videos)

    groups: dict[str, collections.Counter] = collections.defaultdict(
        collections.Counter
    )
    for video in videos:
        groups[video.group].update(_classes(video))
    ranked = sorted(groups, key=_rank)
    total = collections.Counter(label for v in videos for label in _classes(v))
    training = collections.Counter(total)
    split_of = dict.fromkeys(groups, "train")
    for split, fraction in (
        ("test", test_fraction),
        ("validation", validation_fraction),
    ):
        lacking = {
            label: max(1, round(fraction * count)) if fraction else 0
            for label, count in total.items()
        }
        for group in ranked:
            size = groups[group]
            nearer = sum(
                abs(lacking[label]) - abs(lacking[label] - count)
                for label, count in size.items()
            )
            spared = all(training[label] > count for label, count in size.items())
            if split_of[group] == "train" and nearer > 0 and spared:
                split_of[group] = split
                for label, count in size.items():
                    lacking[label] -= count
                    training[label] -= count
    return [dataclasses.replace(v, split=split_of[v.group]) for v in videos]


def _classes(video: Video) -> tuple[str, ...]:
    return video.labels or ("",)


def _rank(group: str) -> tuple[bytes, str]:
    name = PurePosixPath(group).name.encode(errors="surrogateescape")
    return hashlib.sha256(name).digest(), group
