"""Finds all files below a folder and separates videos from other files."""

import dataclasses
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import tqdm

from grw_tf.data.listing.file_kinds import (
    OTHER,
    VIDEO,
    file_kind,
    named_as_video,
    surely_video,
)
from grw_tf.data.listing.left_out import LeftOut
from grw_tf.data.listing.unread_kinds import unread_kind

# Files and folders that operating systems create by themselves.
_SYSTEM_FILES = {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"}
_SYSTEM_FOLDERS = {"__macosx", "@eadir", "$recycle.bin", "system volume information"}
_HIDDEN_SYSTEM_FILES = {".ds_store", ".localized", ".directory", ".gitkeep"}
_FILE, _FOLDER = "file", "folder"
_PROBES = 8
# Seconds after which a progress bar appears.
_PATIENCE = 2.0


@dataclasses.dataclass(frozen=True)
class FolderFiles:
    """The content of a folder, in sorted paths relative to it, with slashes.

    Attributes:
        videos: The videos.
        folders: The folders that are not hidden.
        others: Hidden and other files, with their kinds.
    """

    videos: tuple[str, ...]
    folders: tuple[str, ...]
    others: tuple[LeftOut, ...]


def find_files(directory: str | os.PathLike) -> FolderFiles:
    """Walks a folder, following links to folders, and asks FFmpeg about unusual names.

    Files that operating systems create are skipped. A folder with the name of a video
    counts as a video, so that reading it reports the problem.

    Raises:
        OSError: If a folder cannot be read.
    """
    root = Path(directory)
    found = list(_walk(root, (), ()))
    files = [name for name, kind in found if kind == _FILE]
    files.sort(key=lambda name: name.split("/"))
    folders = sorted(name for name, kind in found if kind == _FOLDER)
    others = [LeftOut(*item) for item in found if item[1] not in (_FILE, _FOLDER)]
    unusual = [name for name in files if not surely_video(name)]

    def kind(name):
        try:
            found = file_kind(root / name)
            fault = unread_kind(root / name) if found == OTHER else None
        except OSError as error:
            fault = f"file that cannot be read ({error.strerror})"
        return LeftOut(name, fault, True) if fault else LeftOut(name, found)

    with ThreadPoolExecutor(_PROBES) as pool:
        progress = tqdm.tqdm(
            pool.map(kind, unusual),
            f"Looking for videos in {root}",
            len(unusual),
            unit="file",
            delay=_PATIENCE,
        )
        kinds = dict(zip(unusual, progress, strict=True))
    not_taken = {name: file for name, file in kinds.items() if file.kind != VIDEO}
    videos = [name for name in files if name not in not_taken]
    others += not_taken.values()
    others.sort(key=lambda other: other.name)
    return FolderFiles(tuple(videos), tuple(folders), tuple(others))


def _walk(root: Path, parts, ancestors) -> Iterator[tuple[str, str]]:
    """Yields each name below a folder with its kind: file, folder or hidden."""
    directory = root.joinpath(*parts)
    status = directory.stat()
    identity = status.st_dev, status.st_ino
    # A link to a folder above would be followed forever.
    if identity in ancestors:
        return
    with os.scandir(directory) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    for entry in listed:
        name = "/".join((*parts, entry.name))
        lowered = entry.name.lower()
        hidden = entry.name.startswith(".")
        if _is_folder(entry) and not named_as_video(entry.name):
            if hidden:
                yield name, "hidden folder"
            elif lowered not in _SYSTEM_FOLDERS:
                yield name, _FOLDER
                inner = (*parts, entry.name), (*ancestors, identity)
                yield from _walk(root, *inner)
        elif hidden:
            # On other disks, macOS keeps metadata of each file as ._name.
            if lowered not in _HIDDEN_SYSTEM_FILES and not lowered.startswith("._"):
                yield name, "hidden file"
        elif lowered not in _SYSTEM_FILES:
            yield name, _FILE


def _is_folder(entry: os.DirEntry) -> bool:
    # Broken links count as files, so that they are reported.
    if entry.is_symlink():
        return os.path.isdir(entry.path)
    return entry.is_dir()
