"""Checks the folder for results before the work begins."""

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
