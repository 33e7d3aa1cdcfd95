"""The folder of a training: writable, with room, and of one training at a time."""

import contextlib
import pathlib
import shutil

from grw_tf.common.file_lock import locked


@contextlib.contextmanager
def claimed(model_dir, flag="--model_dir"):
    """Makes a folder and holds it against other trainings.

    Folders elsewhere (gs://) are not held.

    Args:
        model_dir: The folder.
        flag: That named it.

    Raises:
        ValueError: If another training holds it.
        OSError: If it cannot be made or written.
    """
    if _is_elsewhere(model_dir):
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


def check_room(model_dir, variables, checkpoints):
    """Checks that all checkpoints will fit into a folder, before hours are spent.

    Args:
        model_dir: The folder.
        variables: What a checkpoint holds.
        checkpoints: How many there will be at once.

    Raises:
        OSError: If the disk is too full.
    """
    if _is_elsewhere(model_dir):
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


def _is_elsewhere(model_dir):
    return "://" in str(model_dir)
