"""Lists videos that show none of the classes, and refuses those that do."""

import os
from collections.abc import Iterable
from pathlib import Path

from grw_tf.common.fingerprint import file_sha256
from grw_tf.data.listing.folder_files import find_files
from grw_tf.data.listing.listed_paths import identity


def list_background(directory: str | os.PathLike) -> list[Path]:
    """Lists all videos below a folder, in the order of their names.

    Raises:
        ValueError: If it is not a folder, or holds no video.
        OSError: If a folder cannot be read.
    """
    root = Path(directory)
    if not root.is_dir():
        raise ValueError(
            f"background is {directory}: give a folder of videos that show none of the"
            " classes."
        )
    videos = [root / name for name in find_files(root).videos]
    if not videos:
        raise ValueError(
            f"{directory} has no videos: background needs some that show none of the"
            " classes."
        )
    return videos


def refuse_labeled(background: Iterable[Path], labeled: Iterable[Path]) -> None:
    """Raises a `ValueError` if a background video is also a labeled one.

    Files are the same if they are one file, or have the same content.

    Raises:
        ValueError: Names both.
        OSError: If a file cannot be read.
    """
    background = list(background)
    by_path = {identity(path): path for path in background}
    by_size: dict[int, list[Path]] = {}
    for path in background:
        by_size.setdefault(path.stat().st_size, []).append(path)
    for path in labeled:
        same = by_path.get(identity(path))
        if same is None and path.exists():
            alike = by_size.get(path.stat().st_size, [])
            same = next((b for b in alike if file_sha256(b) == file_sha256(path)), None)
        if same is not None:
            raise _shared(same, path)


def refuse_labeled_names(background: Iterable[Path], names: Iterable[str]) -> None:
    """Raises a `ValueError` if a background video is a source of records.

    Args:
        background: The videos.
        names: Sources in records, as listed when they were made: a video is one if its
            path ends in that name.

    Raises:
        ValueError: Names both.
    """
    ends = {name.replace("\\", "/") for name in names}
    for path in background:
        parts = path.resolve().as_posix().split("/")
        shared = ends & {"/".join(parts[start:]) for start in range(len(parts))}
        if shared:
            raise ValueError(
                f"{path} is given as background, but has the name of a clip of the"
                f" classes, {min(shared)}: take it out, or rename it if it is another"
                " video."
            )


def _shared(path, labeled):
    return ValueError(
        f"{path} is given as background, but is also a clip of the classes, {labeled}:"
        " take it out of one of them."
    )
