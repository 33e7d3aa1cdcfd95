"""The folder of a training: writable, and of one training at a time."""

import contextlib
import fcntl
import pathlib


@contextlib.contextmanager
def claimed(model_dir):
    """Makes a folder and holds it against other trainings.

    Folders elsewhere (gs://) are not held.

    Raises:
      ValueError: if another training holds it.
      OSError: if it cannot be made or written.
    """
    if "://" in str(model_dir):
        yield
        return
    folder = pathlib.Path(model_dir)
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "training.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(
                f"Another training runs in {folder}: wait for it, or give another"
                " --model_dir."
            ) from None
        yield
