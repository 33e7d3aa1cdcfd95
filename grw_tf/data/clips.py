"""Reads videos frame by frame, as clips, or as folders of classes.

TensorFlow is not imported here, so that a runtime without it reads frames alike.
"""

import collections
import csv
import dataclasses
import hashlib
import logging
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import cv2
import numpy as np
import tqdm

SUFFIXES = (
    *(".mp4", ".avi", ".mov", ".gif", ".webm", ".mkv", ".m4v"),
    *(".mpg", ".mpeg", ".ts", ".wmv", ".flv", ".3gp", ".ogv"),
)
TEST_SHARE = 0.2
# Side of the square that published preprocessing crops each size from.
_PUBLISHED_RESIZE = {172: 200, 224: 256, 256: 300}
# Containers round time stamps to a millisecond.
_TOLERANCE = 1e-3
_FALLBACK_RATE = 25.0


@dataclasses.dataclass(frozen=True)
class ClipSet:
    """Clips of a folder of class folders.

    Attributes:
        videos: uint8 [clips, time, height, width, 3], RGB.
        labels: int64 [clips], indices into `class_names`.
        class_names: Names of the classes.
        paths: The file of each clip.
        unreadable: "path: reason" of each file that was left out.
    """

    videos: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    paths: tuple[Path, ...]
    unreadable: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class ClipList:
    """Files of a split, not yet read: `paths`, and `labels` into `class_names`."""

    paths: tuple[Path, ...]
    labels: tuple[int, ...]
    class_names: tuple[str, ...]


def resize_side(size: int) -> int:
    """Side in pixels of the square from whose centre `size` pixels are cropped."""
    return _PUBLISHED_RESIZE.get(size, round(size * 200 / 172))


def prepare_frame(frame: np.ndarray, size: int) -> np.ndarray:
    """Resizes a frame to a square, whatever its aspect, and crops the centre.

    Args:
        frame: uint8 [height, width, 3].
        size: Height and width of the result in pixels.

    Returns:
        uint8 [size, size, 3].
    """
    side = resize_side(size)
    shrinks = min(frame.shape[:2]) >= side
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    square = cv2.resize(frame, (side, side), interpolation=method)
    start = (side - size) // 2
    return square[start : start + size, start : start + size]


def stream_frames(
    path: str | os.PathLike, fps: float, size: int
) -> Iterator[tuple[float, np.ndarray]]:
    """Yields a video's frames at a steady rate.

    At each time k / fps after the first frame it yields the frame then on screen,
    so frames are dropped or repeated as the video's own rate demands.

    Args:
        path: A video or an animated GIF.
        fps: Frames per second to yield.
        size: Height and width of a frame in pixels.

    Yields:
        Seconds since the first frame, and uint8 [size, size, 3], RGB, upright.

    Raises:
        ValueError: If `fps` or `size` is not positive, or the file holds no video.
        av.FFmpegError: If the file cannot be decoded.
    """
    _check(fps=fps, size=size)
    tick, shown = 0, None
    for start, frame in _timed_frames(path):
        if shown is not None and tick / fps < start - _TOLERANCE:
            picture = _picture(shown, size)
            while tick / fps < start - _TOLERANCE:
                yield tick / fps, picture
                tick += 1
        shown = frame


def read_clip(
    path: str | os.PathLike, frames: int, fps: float, size: int
) -> np.ndarray:
    """Reads `frames` / `fps` seconds from the middle of a video.

    A shorter video is read whole and its last frame repeated. At most about half
    of a longer one is held in memory.

    Args:
        path: A video or an animated GIF.
        frames: Frames to return.
        fps: Frames per second to sample at.
        size: Height and width of a frame in pixels.

    Returns:
        uint8 [frames, size, size, 3], RGB, upright.

    Raises:
        ValueError, av.FFmpegError: As `stream_frames`.
    """
    _check(frames=frames)
    window = collections.deque()
    for count, (_, picture) in enumerate(stream_frames(path, fps, size), start=1):
        window.append(picture)
        # The middle only moves on as the video does, so what lies before can go.
        if count - len(window) < (count - frames) // 2:
            window.popleft()
    clip = list(window)[:frames]
    clip += [clip[-1]] * (frames - len(clip))
    return np.stack(clip)


def find_clips(
    directory: str | os.PathLike,
    split: str | None = None,
    classes: Sequence[str] | None = None,
) -> ClipList:
    """Lists the videos of a folder of class folders, without reading them.

    The splits are, in this order of preference: the folders `train` and `test`,
    each holding class folders; the columns path, label and split of a `splits.csv`
    beside the class folders, which then alone says what the set holds; or, of each
    class, the fifth of its videos whose names' hashes come first is the test split.

    Args:
        directory: The folder.
        split: "train" or "test"; everything if not given.
        classes: Classes to keep, in the order of their labels; all of them, by
            name, if not given.

    Raises:
        ValueError: If the folder is not there, has fewer than two classes or no
            video for the split, or lacks one of `classes`.
    """
    root = Path(directory)
    expected = f"expected class folders of videos ({', '.join(SUFFIXES)})"
    if not root.is_dir():
        raise ValueError(f"{root} is not a folder: {expected}.")
    if split not in ("train", "test", None):
        raise ValueError(f'split is {split!r}: use "train", "test" or None.')
    entries = _entries(root)
    present = sorted({label for _, label, _ in entries})
    missing = sorted(set(classes or ()) - set(present))
    if missing:
        raise ValueError(
            f"{root} has no videos of {missing}: its classes are {present}."
        )
    names = tuple(dict.fromkeys(classes or present))
    if len(names) < 2:
        raise ValueError(
            f"{root} has {len(names)} classes {list(names)}: {expected}, at least two."
        )
    kept = [
        (path, names.index(label))
        for path, label, part in entries
        if label in names and split in (part, None)
    ]
    if not kept:
        splits = sorted({part for _, _, part in entries})
        raise ValueError(f"{root} has no videos of split {split!r}, only of {splits}.")
    paths, labels = zip(*kept, strict=True)
    return ClipList(paths, labels, names)


def load_clips(
    directory: str | os.PathLike,
    frames: int,
    fps: float,
    size: int,
    split: str | None = None,
    classes: Sequence[str] | None = None,
    workers: int | None = None,
) -> ClipSet:
    """Reads the videos of a folder of class folders into memory.

    A video that cannot be read is left out and named in a warning.

    Args:
        directory: The folder, laid out as `find_clips` says.
        frames: Frames of a clip.
        fps: Frames per second to sample at.
        size: Height and width of a frame in pixels.
        split: "train" or "test"; everything if not given.
        classes: Classes to keep, as in `find_clips`.
        workers: Threads to decode in; by default one for each CPU.

    Returns:
        The clips, in the order of `find_clips`.

    Raises:
        ValueError: As `find_clips`, if no video at all can be read, or if `frames`,
            `fps` or `size` is not positive.
    """
    _check(frames=frames, fps=fps, size=size)
    found = find_clips(directory, split, classes)
    count = len(found.paths)
    videos = np.empty((count, frames, size, size, 3), np.uint8)

    def read(index: int) -> str | None:
        try:
            videos[index] = read_clip(found.paths[index], frames, fps, size)
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
            f"None of the {count} videos in {directory} can be read: expected"
            f" {', '.join(SUFFIXES)} files, and the first says {unreadable[0]}"
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


def _check(**positive: float) -> None:
    for name, value in positive.items():
        if value <= 0:
            raise ValueError(f"{name} is {value}: it must be above 0.")


def _timed_frames(
    path: str | os.PathLike,
) -> Iterator[tuple[float, av.VideoFrame | None]]:
    """Yields seconds since the first frame and the frame; the end and None last."""
    with av.open(os.fspath(path)) as container:
        if not container.streams.video:
            raise ValueError(f"{path} holds no video.")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        step = 1 / float(stream.average_rate or _FALLBACK_RATE)
        origin, now, last = None, -step, None
        for last in container.decode(stream):
            if origin is None or last.time is None:
                now += step
            else:
                # Some AVI files with B-frames give times out of order.
                now = max(now, last.time - origin)
            if origin is None and last.time is not None:
                origin = last.time - now
            yield now, last
        if last is None:
            raise ValueError(f"{path} holds no frames.")
        if last.duration:
            step = float(last.duration * last.time_base)
        yield now + max(step, 2 * _TOLERANCE), None


def _picture(frame: av.VideoFrame, size: int) -> np.ndarray:
    picture = prepare_frame(frame.to_ndarray(format="rgb24"), size)
    # A square turned after resizing is the square resized after turning.
    return np.ascontiguousarray(np.rot90(picture, round(frame.rotation / 90)))


def _entries(root: Path) -> list[tuple[Path, str, str]]:
    """Lists path, class and split of each video."""
    if all((root / split).is_dir() for split in ("train", "test")):
        return [
            (path, path.parent.name, split)
            for split in ("train", "test")
            for path in _class_videos(root / split)
        ]
    if (root / "splits.csv").is_file():
        return _csv_entries(root)
    by_class = collections.defaultdict(list)
    for path in _class_videos(root):
        by_class[path.parent.name].append(path)
    entries = []
    for name, paths in by_class.items():
        ranked = sorted(paths, key=lambda p: hashlib.sha256(p.name.encode()).digest())
        held_out = set(ranked[: max(1, round(TEST_SHARE * len(paths)))])
        entries += [(p, name, "test" if p in held_out else "train") for p in paths]
    return entries


def _class_videos(root: Path) -> list[Path]:
    return sorted(
        path
        for path in root.glob("*/*")
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )


def _csv_entries(root: Path) -> list[tuple[Path, str, str]]:
    table = root / "splits.csv"
    with table.open(newline="", encoding="utf-8-sig") as lines:
        rows = csv.DictReader(lines)
        lacking = {"path", "label", "split"} - set(rows.fieldnames or ())
        if lacking:
            raise ValueError(f"{table} lacks the columns {sorted(lacking)}.")
        return [(root / row["path"], row["label"], row["split"]) for row in rows]
