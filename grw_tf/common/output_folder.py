"""Checks the folder for results before the work begins."""

import json
import tempfile
from pathlib import Path


def check_writable(folder: Path) -> None:
    """Raises an `OSError` unless a folder can be written to or created."""
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not nearest.is_dir():
        raise OSError(
            f"{nearest} is a file, so {folder} cannot be a folder for results: give"
            " another --output_dir."
        )
    try:
        # Permissions do not show that a disk is read-only.
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise OSError(
            f"{nearest} cannot be written to ({error.strerror}), so {folder} can hold"
            " no results: give another --output_dir."
        ) from None


def check_replaceable(folder: Path, record: Path, producer: str) -> None:
    """Raises a ValueError if a path exists and is not an earlier export.

    Args:
        folder: The path; an empty folder may be replaced too.
        record: A JSON file in an export, from its folder on.
        producer: How its `producer` begins.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    try:
        told = json.loads((folder / record).read_text())
        if told["producer"].startswith(producer):
            return
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    raise ValueError(
        f"{folder} exists and is not an earlier export: give another --output_dir, or"
        " remove it."
    )
