"""Work that one process at a time may do."""

import contextlib
import fcntl
import logging
import os


@contextlib.contextmanager
def locked(path: str | os.PathLike):
    """Holds a lock; waits, and says so, while another process does.

    It ends with the process, however that ends. The file stays.

    Args:
      path: of the lock's file, made if it is not there.

    Raises:
      OSError: if the file cannot be made.
    """
    with open(path, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            logging.warning("Waiting for another process that holds %s.", path)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
