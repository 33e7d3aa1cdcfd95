"""File locks, held by one process at a time."""

import contextlib
import fcntl
import logging
import os
from collections.abc import Iterator


@contextlib.contextmanager
def locked(path: str | os.PathLike, refusal: Exception | None = None) -> Iterator[None]:
    """Holds a lock until the block or the process ends. The file stays.

    Args:
        path: File of the lock, created if it does not exist.
        refusal: Error to raise if another process holds the lock. By default, a warning
            is logged and the call waits.

    Raises:
        OSError: If the file cannot be created.
    """
    with open(path, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if refusal:
                raise refusal from None
            logging.warning("Waiting for another process that holds %s.", path)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
