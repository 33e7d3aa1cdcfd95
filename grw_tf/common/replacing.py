"""Writes files and folders completely or not at all, even if the program is killed."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path, folder: Path | None = None) -> Iterator[Path]:
    """Yields a temporary path to write to, then moves that file to `path`.

    Args:
        path: The file to write or replace.
        folder: Folder of the temporary file, on the same disk. By default the folder
            of `path`.

    Raises:
        OSError: If the file cannot be written.
    """
    unfinished = (folder or path.parent) / f"{path.name}.{os.getpid()}.unfinished"
    try:
        yield unfinished
        # The content must reach the disk before the name does.
        with unfinished.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_folder(path: str | os.PathLike) -> Iterator[Path]:
    """Yields a new path to write, which then replaces the folder `path`."""
    path = Path(os.path.abspath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    # Names that servers ignore, because they look for version numbers.
    unfinished, old = (
        path.with_name(f".{path.name}.{os.getpid()}.{what}")
        for what in ("unfinished", "old")
    )
    try:
        yield unfinished
        if path.exists():
            path.rename(old)
        unfinished.rename(path)
    finally:
        if old.exists() and not path.exists():
            old.rename(path)
        for folder in (unfinished, old):
            shutil.rmtree(folder, ignore_errors=True)
