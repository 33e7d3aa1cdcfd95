"""Files that are there whole or not at all, whenever the program is killed."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path, folder: Path | None = None) -> Iterator[Path]:
    """Yields another path to write to; what is there then takes the place of `path`.

    Args:
        path: The file.
        folder: Where it is written until whole, on the same disk; by default the
            folder of `path`.

    Raises:
        OSError: If the file cannot be written.
    """
    unfinished = (folder or path.parent) / f"{path.name}.{os.getpid()}.unfinished"
    try:
        yield unfinished
        # The disk holds the content before the name.
        with unfinished.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
