"""Samples clips of a class "background" from the unlabeled parts of listed videos."""

import collections
import hashlib
import logging
import math
import statistics
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import av

from grw_tf.common.class_names import BACKGROUND
from grw_tf.common.first_few import first_few
from grw_tf.data.listing.listed_paths import identity
from grw_tf.data.listing.video_list import Video
from grw_tf.data.videos.duration import video_seconds
from grw_tf.data.videos.faults import fault_of

_READERS = 8
_SHOWN = 3
# Seconds, for lengths that are sums of rounded times.
_ROUNDING = 1e-6


def sample_background(videos: Sequence[Video], ratio: float) -> list[Video]:
    """Returns segments of class "background", outside all labeled ones of each file.

    Each is as long as the median labeled segment, and in the split of its file. Those
    of a file do not overlap. Which are taken depends on the names and segments of the
    videos alone, and as many files as possible have one before any has two.

    Args:
        videos: Labeled videos and segments, with splits.
        ratio: Background clips for each labeled clip, in each split.

    Raises:
        ValueError: If a class is called "background" already, no video has a start or
            an end, or nothing is left outside the labeled segments.
    """
    _check(videos)
    by_file: dict[str, list[Video]] = collections.defaultdict(list)
    for video in videos:
        by_file[identity(video.path)].append(video)
    listed = [by_file[key] for key in sorted(by_file)]
    in_several = [of[0].name for of in listed if len({v.split for v in of}) > 1]
    if in_several:
        logging.warning(
            "No background is taken from %d videos with segments in several splits, as"
            " %s.",
            len(in_several),
            first_few(in_several, _SHOWN),
        )
    listed = [of for of in listed if len({v.split for v in of}) == 1]
    with ThreadPoolExecutor(_READERS) as pool:
        durations = list(pool.map(_seconds, listed))
    length = _median_length(listed, durations)
    windows: dict[str, list[tuple]] = collections.defaultdict(list)
    for of_file, duration in zip(listed, durations, strict=True):
        found = _windows(of_file, duration, length)
        found.sort(key=_rank)
        windows[found[0].split if found else ""] += enumerate(found)
    counts = collections.Counter(video.split for video in videos)
    taken = []
    for split, count in sorted(counts.items()):
        wanted = max(1, round(ratio * count))
        there = sorted(windows[split], key=lambda item: (item[0], _rank(item[1])))
        taken += [video for _, video in there[:wanted]]
        if len(there) < wanted:
            logging.warning(
                "The split %s gets %d background clips of %.3g s, not %d: there is no"
                " room for more outside the labeled segments.",
                split,
                len(there),
                length,
                wanted,
            )
    if not taken:
        raise ValueError(
            f"background_ratio is {ratio:g}, but no video has {length:.3g} s, the"
            " median length of a labeled segment, outside its labeled segments: leave"
            " it out, or list longer videos."
        )
    return taken


def _check(videos):
    named = next((video for video in videos if video.label == BACKGROUND), None)
    if named is not None:
        raise ValueError(
            f"The class {BACKGROUND!r} is listed, as of {named.name}, and"
            " background_ratio would sample one more: rename the class, or leave out"
            " background_ratio."
        )
    if all(video.start == 0 and video.end is None for video in videos):
        raise ValueError(
            "background_ratio takes what lies outside the labeled segments, but all"
            " videos are labeled as a whole: give a table (--csv) with start and end."
        )


def _seconds(of_file):
    """Returns the length of a file, 0 if it cannot be read."""
    path = of_file[0].path
    try:
        return video_seconds(path)
    # The conversion of its segments reports it too.
    except (av.FFmpegError, OSError, ValueError) as error:
        logging.warning(
            "No background is taken from %s: %s", path, fault_of(path, error)
        )
        return 0.0


def _median_length(listed, durations):
    lengths = [
        (duration if video.end is None else video.end) - video.start
        for of_file, duration in zip(listed, durations, strict=True)
        for video in of_file
    ]
    return statistics.median([length for length in lengths if length > 0] or [math.inf])


def _windows(of_file, duration, length):
    """Returns segments of a length that fill the gaps between a file's segments."""
    first = of_file[0]
    windows, free_from = [], 0.0
    ends = [(v.start, duration if v.end is None else v.end) for v in of_file]
    for start, end in [*sorted(ends), (duration, duration)]:
        # A table may list more than there is.
        gap = min(start, duration) - free_from
        count = max(0, math.floor(gap / length + _ROUNDING))
        for index in range(count):
            middle = free_from + (index + 0.5) * gap / count
            begin = round(max(free_from, middle - length / 2), 3)
            windows.append(
                Video(
                    path=first.path,
                    name=first.name,
                    label=BACKGROUND,
                    split=first.split,
                    group=first.group,
                    start=begin,
                    end=round(begin + length, 3),
                )
            )
        free_from = max(free_from, end)
    return windows


def _rank(video):
    text = f"{video.name}\n{video.start:.3f}".encode(errors="surrogateescape")
    return hashlib.sha256(text).digest()
