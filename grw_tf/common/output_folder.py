"""The folder of results: known to be usable before the work, made after it."""

import tempfile
from pathlib import Path


def check_writable(folder: Path) -> None:
    """Checks that a folder is there or can be made, and written to; leaves no trace.

    Raises:
        OSError: If it is not so.
    """
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not nearest.is_dir():
        raise OSError(
            f"{nearest} is a file, so {folder} can be no folder of results: give"
            " another --output_dir."
        )
    try:
        # Permissions alone say nothing of disks that are read-only.
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise OSError(
            f"{nearest} cannot be written to ({error.strerror}), so {folder} can hold"
            " no results: give another --output_dir."
        ) from None
