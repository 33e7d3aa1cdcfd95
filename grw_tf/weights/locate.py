"""From what a user gives as checkpoint to a prefix that TensorFlow reads."""

import contextlib
import dataclasses
import os
import pathlib
import re
import tempfile

import tensorflow as tf

from grw_tf.models import ModelConfig
from grw_tf.weights import official
from grw_tf.weights.archive import extract
from grw_tf.weights.download import fetch


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a checkpoint lies.

    Attributes:
      prefix: its path without `.index`.
      config: of its model where that is known: of an official one by its name.
    """

    prefix: str
    config: ModelConfig | None = None


@contextlib.contextmanager
def located(init_checkpoint):
    """Yields the `Place` of a checkpoint.

    What is in an archive is unpacked for as long as the context lasts.

    Args:
      init_checkpoint: prefix, folder or .tar.gz, local or such as gs://, or the name of
        an official checkpoint, which is downloaded once. A path that exists comes
        before a name.

    Raises:
      OSError: if it cannot be read or downloaded.
      ValueError: if there is no checkpoint, or which one is open.
    """
    path = os.path.expanduser(os.fspath(init_checkpoint))
    with tempfile.TemporaryDirectory() as scratch:
        try:
            place = _find(path, pathlib.Path(scratch))
        except tf.errors.OpError as error:
            reason = error.message.splitlines()[0]
            raise OSError(f"{path} cannot be read: {reason}") from None
        yield place


def _find(path, scratch):
    prefix = re.sub(r"\.(index|data-\d+-of-\d+)$", "", path)
    if tf.io.gfile.exists(f"{prefix}.index"):
        return Place(_with_data(prefix))
    if tf.io.gfile.isdir(path):
        return Place(_latest(path) or _only(path, path))
    if path.endswith((".tar.gz", ".tgz")) and tf.io.gfile.exists(path):
        return Place(_unpacked(path, scratch))
    if tf.io.gfile.exists(path):
        raise ValueError(
            f"{path} is no TensorFlow checkpoint (there is no {prefix}.index): give the"
            " prefix of one, its folder or a .tar.gz."
        )
    checkpoint = official.find(path)
    if checkpoint is None:
        raise ValueError(
            f"There is no checkpoint {path} (no {prefix}.index, folder or archive, and"
            f" no official one of this name). {official.hint(path)}"
        )
    folder = str(fetch(checkpoint))
    return Place(_only(folder, folder), checkpoint.config)


def _latest(folder):
    """Returns the checkpoint that the folder's state names, if it lies in there."""
    # Not tf.train.latest_checkpoint: that logs an error where this is None.
    state = tf.train.get_checkpoint_state(folder)
    prefix = state.model_checkpoint_path if state else ""
    inside = pathlib.Path(os.path.abspath(prefix)).is_relative_to(
        os.path.abspath(folder)
    )
    if inside and tf.io.gfile.exists(f"{prefix}.index"):
        return _with_data(prefix)
    return None


def _unpacked(archive, scratch):
    local = archive
    if "://" in archive:
        local = scratch / os.path.basename(archive)
        tf.io.gfile.copy(archive, str(local))
    folder = scratch / "unpacked"
    extract(local, folder)
    return _only(str(folder), archive)


def _only(folder, given):
    found = sorted(
        os.path.join(parent, name).removesuffix(".index")
        for parent, _, names in tf.io.gfile.walk(folder)
        for name in names
        # Hidden: archives made on macOS hold a `._ckpt.index` beside `ckpt.index`.
        if name.endswith(".index") and not name.startswith(".")
    )
    if len(found) == 1:
        return _with_data(found[0])
    if found:
        listed = [prefix[len(folder) :].lstrip("/") for prefix in found]
    else:
        listed = sorted(tf.io.gfile.listdir(folder))
    raise ValueError(
        f"Expected one checkpoint in {given}, found {len(found)}: name one by its"
        f" prefix, the path without .index. There is: {', '.join(listed) or 'nothing'}."
    )


def _with_data(prefix):
    folder, name = os.path.split(prefix)
    if not any(
        file.startswith(f"{name}.data-") for file in tf.io.gfile.listdir(folder or ".")
    ):
        raise ValueError(f"{prefix}.index lies there without its {name}.data files.")
    return prefix
