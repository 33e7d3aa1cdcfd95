"""Reads clips from a folder with one subfolder of videos for each class."""

import dataclasses
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import cv2
import numpy as np
import tqdm

from grw_tf.common.checks import check_positive
from grw_tf.common.class_names import sort_class_names
from grw_tf.data.listing.video_list import EXPECTED, list_folder
from grw_tf.data.videos.clips import read_clip
from grw_tf.frames.geometry import FrameGeometry


@dataclasses.dataclass(frozen=True)
class FolderClips:
    """Clips of a folder of class folders.

    Attributes:
        videos: uint8 [clips, time, height, width, 3], RGB.
        labels: int64 [clips], indices into `class_names`.
        class_names: Names of the classes, sorted by name or number.
        paths: The file of each clip.
    """

    videos: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    paths: tuple[Path, ...]


def load_clips(
    directory: str | os.PathLike, frames: int, fps: float, geometry: FrameGeometry
) -> FolderClips:
    """Reads the videos of a folder of class folders into memory, on all cores.

    The videos are those of `list_folder`, in its order. Videos that cannot be read are
    left out, with a warning that names them.

    Args:
        directory: The folder.
        frames: Frames of a clip.
        fps: Frames per second to sample at.
        geometry: `config.frame_geometry` of the model.

    Raises:
        ValueError: As `list_folder`, if there are fewer than two classes, if no video
            can be read, or if `frames` or `fps` is not positive.
    """
    check_positive(frames=frames, fps=fps)
    listed = list_folder(directory)
    names = sort_class_names(video.label for video in listed)
    if len(names) < 2:
        raise ValueError(
            f"{directory} has {len(names)} classes {list(names)}: {EXPECTED}, at least"
            " two."
        )
    shape = len(listed), frames, geometry.size, geometry.size, 3
    videos = np.empty(shape, np.uint8)

    def read(index: int) -> str | None:
        path = listed[index].path
        try:
            videos[index] = read_clip(path, frames, fps, geometry)
        except (av.FFmpegError, OSError, ValueError, cv2.error) as error:
            return f"{path}: {error}"
        return None

    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        reads = pool.map(read, range(len(listed)))
        progress = tqdm.tqdm(reads, f"Reading {directory}", len(listed), unit="clip")
        errors = list(progress)
    finally:
        pool.shutdown(cancel_futures=True)

    unreadable = [error for error in errors if error]
    good = [index for index, error in enumerate(errors) if not error]
    if not good:
        raise ValueError(
            f"None of the {len(listed)} videos in {directory} can be read. The first"
            f" says {unreadable[0]}"
        )
    if unreadable:
        logging.warning(
            "Left out %d of %d videos that cannot be read:\n  %s",
            len(unreadable),
            len(listed),
            "\n  ".join(unreadable),
        )
        videos = videos[good]
    kept = [listed[index] for index in good]
    labels = np.array([names.index(video.label) for video in kept], np.int64)
    return FolderClips(videos, labels, names, tuple(video.path for video in kept))
