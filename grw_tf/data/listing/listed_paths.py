"""Finds files on disk by paths that another system may have written."""

import functools
import os
import unicodedata
from pathlib import Path, PureWindowsPath


def path_on_disk(listed: str, root: Path) -> str:
    """Returns a path with the slashes and the Unicode form used on disk.

    The path of a missing file is returned with slashes.

    Args:
        listed: Path in a table, absolute or relative to `root`.
        root: The folder.

    Raises:
        ValueError: If the path is on a Windows drive and this is not Windows.
    """
    if os.name == "nt" or (root / listed).exists():
        return listed
    if not listed.startswith("/") and PureWindowsPath(listed).anchor:
        raise ValueError(
            f"{listed} is a path on a drive of Windows, which this machine does not"
            " have: write it relative to the folder of the videos, which --input gives."
        )
    # No file has this name, so its backslashes separate folders.
    path = listed.replace("\\", "/")
    if path.isascii() or (root / path).exists():
        return path
    found = "/" if path.startswith("/") else ""
    for part in path.strip("/").split("/"):
        # Folders of one path may come from different systems.
        forms = (part, *(unicodedata.normalize(f, part) for f in ("NFC", "NFD")))
        there = (form for form in forms if (root / found / form).exists())
        found = os.path.join(found, next(there, part))
    return found


def identity(path: Path) -> str:
    """Returns one form for all ways to write the path of a file.

    Links to folders are followed. Links to files count as separate files.
    """
    folder, name = os.path.split(os.path.abspath(path))
    return os.path.join(_real(folder), name)


@functools.lru_cache
def _real(folder: str) -> str:
    return os.path.realpath(folder)
