"""Reads clips from a folder with one subfolder of videos for each class."""

import dataclasses
import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import cv2
import numpy as np
import tqdm

from grw_tf.common.checks import check_positive
from grw_tf.common.class_names import normal_name, sort_class_names
from grw_tf.data.listing.splits import assign_splits
from grw_tf.data.listing.video_list import EXPECTED, list_folder
from grw_tf.data.videos.clips import read_clip
from grw_tf.frames.geometry import FrameGeometry

TEST_SHARE = 0.2


@dataclasses.dataclass(frozen=True)
class ClipSet:
    """Clips of a folder of class folders.

    Attributes:
        videos: uint8 [clips, time, height, width, 3], RGB.
        labels: int64 [clips], indices into `class_names`.
        class_names: Names of the classes.
        paths: The file of each clip.
        unreadable: "path: reason" for each file that was left out.
    """

    videos: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    paths: tuple[Path, ...]
    unreadable: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class ClipList:
    """Files of a split that are not read yet.

    Attributes:
        paths: The files.
        labels: Class of each file, as an index into `class_names`.
        class_names: Names of the classes.
    """

    paths: tuple[Path, ...]
    labels: tuple[int, ...]
    class_names: tuple[str, ...]


def find_clips(
    directory: str | os.PathLike,
    split: str | None = None,
    classes: Sequence[str] | None = None,
) -> ClipList:
    """Lists the videos of a folder of class folders, without reading them.

    The splits are those of `list_folder`. If it gives none, `assign_splits` makes about
    a fifth of each class the test split.

    Args:
        directory: The folder.
        split: "train" or "test". By default all videos are listed.
        classes: Classes to keep, in the order of their labels. By default all, sorted
            by name or number.

    Raises:
        ValueError: If the folder does not exist, has fewer than two classes or no
            video of the split, or lacks one of `classes`.
    """
    if split not in ("train", "test", None):
        raise ValueError(f'split is {split!r}: use "train", "test" or None.')
    videos = assign_splits(list_folder(directory), 0.0, TEST_SHARE)
    present = list(sort_class_names(video.label for video in videos))
    classes = [normal_name(name) for name in classes or ()]
    missing = sorted(set(classes) - set(present))
    if missing:
        raise ValueError(
            f"{directory} has no videos of {missing}: its classes are {present}."
        )
    names = tuple(dict.fromkeys(classes or present))
    if len(names) < 2:
        raise ValueError(
            f"{directory} has {len(names)} classes {list(names)}: {EXPECTED}, at least"
            " two."
        )
    kept = [
        (video.path, names.index(video.label))
        for video in videos
        if video.label in names and split in (video.split, None)
    ]
    if not kept:
        splits = sorted({video.split for video in videos})
        raise ValueError(
            f"{directory} has no videos of split {split!r}, only of {splits}."
        )
    paths, labels = zip(*kept, strict=True)
    return ClipList(paths, labels, names)


def load_clips(
    directory: str | os.PathLike,
    frames: int,
    fps: float,
    geometry: FrameGeometry,
    split: str | None = None,
    classes: Sequence[str] | None = None,
    workers: int | None = None,
) -> ClipSet:
    """Reads the videos of a folder of class folders into memory.

    Videos that cannot be read are left out, with a warning that names them.

    Args:
        directory: The folder, as for `find_clips`.
        frames: Frames of a clip.
        fps: Frames per second to sample at.
        geometry: `config.frame_geometry` of the model.
        split: As for `find_clips`.
        classes: As for `find_clips`.
        workers: Threads to decode in. By default one per CPU.

    Returns:
        The clips, in the order of `find_clips`.

    Raises:
        ValueError: As `find_clips`, if no video can be read, or if `frames` or `fps` is
            not positive.
    """
    check_positive(frames=frames, fps=fps)
    size = geometry.size
    found = find_clips(directory, split, classes)
    count = len(found.paths)
    videos = np.empty((count, frames, size, size, 3), np.uint8)

    def read(index: int) -> str | None:
        try:
            videos[index] = read_clip(found.paths[index], frames, fps, geometry)
        except (av.FFmpegError, OSError, ValueError, cv2.error) as error:
            return f"{found.paths[index]}: {error}"
        return None

    pool = ThreadPoolExecutor(workers or os.cpu_count())
    try:
        reads = pool.map(read, range(count))
        errors = list(tqdm.tqdm(reads, f"Reading {directory}", count, unit="clip"))
    finally:
        pool.shutdown(cancel_futures=True)

    unreadable = tuple(error for error in errors if error)
    good = [index for index, error in enumerate(errors) if not error]
    if not good:
        raise ValueError(
            f"None of the {count} videos in {directory} can be read. The first says"
            f" {unreadable[0]}"
        )
    if unreadable:
        logging.warning(
            "Left out %d of %d videos that cannot be read:\n  %s",
            len(unreadable),
            count,
            "\n  ".join(unreadable),
        )
    return ClipSet(
        videos[good] if unreadable else videos,
        np.array(found.labels, np.int64)[good],
        found.class_names,
        tuple(found.paths[index] for index in good),
        unreadable,
    )
