"""Paths in tables: as another system may write them, and as the disk has them."""

import functools
import os
import unicodedata
from pathlib import Path, PureWindowsPath


def path_on_disk(listed: str, root: Path) -> str:
    """Returns a path with the slashes and the form of letters that the disk has.

    A path of a file that is not there comes back with slashes.

    Args:
        listed: As a table has it, absolute or relative to the folder.
        root: The folder.

    Raises:
        ValueError: If it begins at a drive or a root of Windows, elsewhere.
    """
    if os.name == "nt" or (root / listed).exists():
        return listed
    if not listed.startswith("/") and PureWindowsPath(listed).anchor:
        raise ValueError(
            f"{listed} is a path on a drive of Windows, which this machine does not"
            " have: write it relative to the folder of the videos, which --input gives."
        )
    # Files here may have backslashes in their names, but this one is not there.
    path = listed.replace("\\", "/")
    if path.isascii() or (root / path).exists():
        return path
    found = "/" if path.startswith("/") else ""
    for part in path.strip("/").split("/"):
        # Each folder may come from another system than the next.
        forms = (part, *(unicodedata.normalize(f, part) for f in ("NFC", "NFD")))
        there = (form for form in forms if (root / found / form).exists())
        found = os.path.join(found, next(there, part))
    return found


def identity(path: Path) -> str:
    """Returns what is the same for all ways to write the path of a file.

    Links to files are files of their own; those to folders are followed.
    """
    folder, name = os.path.split(os.path.abspath(path))
    return os.path.join(_real(folder), name)


@functools.lru_cache
def _real(folder: str) -> str:
    return os.path.realpath(folder)
