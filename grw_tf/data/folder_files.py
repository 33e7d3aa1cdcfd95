"""Finds all files below a folder, and tells videos from others."""

import dataclasses
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import tqdm

from grw_tf.data.file_kinds import VIDEO, file_kind, named_as_video, surely_video
from grw_tf.data.left_out import LeftOut

# What systems leave in folders on their own; hidden files of theirs besides.
_SYSTEM_FILES = {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"}
_SYSTEM_FOLDERS = {"__macosx", "@eadir", "$recycle.bin", "system volume information"}
_HIDDEN_SYSTEM_FILES = {".ds_store", ".localized", ".directory", ".gitkeep"}
_PROBES = 8
# Seconds after which a bar shows how far it is.
_PATIENCE = 2.0


@dataclasses.dataclass(frozen=True)
class FolderFiles:
    """What is below a folder, in paths relative to it with slashes, sorted.

    Attributes:
        videos: The videos.
        folders: The folders that are not hidden.
        others: The other files, with what they are, and hidden ones.
    """

    videos: tuple[str, ...]
    folders: tuple[str, ...]
    others: tuple[LeftOut, ...]


def find_files(directory: str | os.PathLike) -> FolderFiles:
    """Walks a folder, links to folders too, and asks FFmpeg about unusual names.

    Files that systems leave on their own are passed over. A folder that is named as a
    video counts as one: reading it tells that it is none.

    Raises:
        OSError: If a folder cannot be read.
    """
    root = Path(directory)
    files, folders, others = [], [], []
    _walk(root, (), (), files, folders, others)
    files.sort(key=lambda name: name.split("/"))
    unusual = [name for name in files if not surely_video(name)]

    def kind(name):
        try:
            return file_kind(root / name)
        except OSError as error:
            return error

    with ThreadPoolExecutor(_PROBES) as pool:
        progress = tqdm.tqdm(
            pool.map(kind, unusual),
            f"Looking for videos in {root}",
            len(unusual),
            unit="file",
            delay=_PATIENCE,
        )
        kinds = dict(zip(unusual, progress, strict=True))
    videos = [name for name in files if kinds.get(name, VIDEO) == VIDEO]
    for name, found in kinds.items():
        if isinstance(found, OSError):
            reason = f"file that cannot be read ({found.strerror})"
            others.append(LeftOut(name, reason, is_fault=True))
        elif found != VIDEO:
            others.append(LeftOut(name, found))
    return FolderFiles(
        tuple(videos),
        tuple(sorted(folders)),
        tuple(sorted(others, key=lambda other: other.name)),
    )


def _walk(root, parts, ancestors, files, folders, others):
    directory = root.joinpath(*parts)
    status = directory.stat()
    identity = status.st_dev, status.st_ino
    # A link to a folder above would be walked for ever.
    if identity in ancestors:
        return
    with os.scandir(directory) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    for entry in listed:
        name = "/".join((*parts, entry.name))
        lowered = entry.name.lower()
        if entry.is_dir() and not named_as_video(entry.name):
            if lowered in _SYSTEM_FOLDERS:
                continue
            if entry.name.startswith("."):
                others.append(LeftOut(name, "hidden folder"))
                continue
            folders.append(name)
            _walk(
                root,
                (*parts, entry.name),
                (*ancestors, identity),
                files,
                folders,
                others,
            )
        elif entry.name.startswith("."):
            # macOS keeps what other disks cannot beside each file, as ._name.
            if lowered not in _HIDDEN_SYSTEM_FILES and not lowered.startswith("._"):
                others.append(LeftOut(name, "hidden file"))
        elif lowered not in _SYSTEM_FILES:
            files.append(name)
