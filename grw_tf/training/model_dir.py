"""Claims the folder of a training for one training, and checks its free space."""

import contextlib
import os
import pathlib
import shutil
from collections.abc import Iterator, Sequence

import tensorflow as tf

from grw_tf.common.file_lock import locked


@contextlib.contextmanager
def claimed(model_dir: str | os.PathLike, flag: str = "--model_dir") -> Iterator[None]:
    """Makes a folder and locks it against other trainings.

    Remote folders (gs://) are not locked. Errors name the folder by `flag`.

    Raises:
        ValueError: If another training holds the lock.
        OSError: If the folder cannot be made or written.
    """
    if _is_remote(model_dir):
        yield
        return
    folder = pathlib.Path(model_dir)
    busy = ValueError(
        f"Another training runs in {folder}: wait for it, or give another {flag}."
    )
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(folder / "training.lock", busy))
        except OSError as error:
            raise OSError(
                f"{flag}={folder} cannot be written ({error.strerror}): give another"
                " or free it."
            ) from None
        yield


def check_room(
    model_dir: str, variables: Sequence[tf.Variable], checkpoints: int
) -> None:
    """Checks that a folder has room for some checkpoints of variables.

    Raises:
        OSError: If the disk has too little free space.
    """
    if _is_remote(model_dir):
        return
    bytes_each = sum(v.shape.num_elements() * v.dtype.size for v in variables)
    there = sum(
        path.stat().st_size for path in pathlib.Path(model_dir).rglob("*.data-*")
    )
    free = shutil.disk_usage(model_dir).free + there
    if free < checkpoints * bytes_each:
        raise OSError(
            f"The disk of --model_dir={model_dir} has {free / 1e6:.0f} MB for"
            f" checkpoints, and {checkpoints} take"
            f" {checkpoints * bytes_each / 1e6:.0f} MB: free some, give another, or"
            " lower trainer.max_to_keep."
        )


def _is_remote(model_dir):
    return "://" in str(model_dir)
