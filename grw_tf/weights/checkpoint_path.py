"""From what a user gives as checkpoint to a prefix that TensorFlow reads."""

import contextlib
import dataclasses
import os
import pathlib
import re
import tempfile

import tensorflow as tf

from grw_tf.common.error_text import one_line
from grw_tf.models import ModelConfig
from grw_tf.weights import official
from grw_tf.weights.download import fetch
from grw_tf.weights.unpacking import extract


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
            raise OSError(f"{path} cannot be read: {one_line(error)}") from None
        yield place


def _find(path, scratch):
    prefix = re.sub(r"\.(index|data-\d+-of-\d+)$", "", path)
    if tf.io.gfile.exists(f"{prefix}.index"):
        return Place(_checked(prefix))
    if tf.io.gfile.isdir(path):
        return Place(_within(path, path))
    if path.endswith((".tar.gz", ".tgz")) and tf.io.gfile.exists(path):
        return Place(_unpacked(path, scratch))
    if tf.io.gfile.exists(path):
        raise ValueError(
            f"{path} is no TensorFlow checkpoint (there is no {prefix}.index): give the"
            " prefix of one, its folder or a .tar.gz; scripts/import_torch_weights.py"
            " makes one of a PyTorch file."
        )
    checkpoint = official.find(path)
    if checkpoint is None:
        raise ValueError(
            f"There is no checkpoint {path} (no {prefix}.index, folder or archive, and"
            f" no official one of this name). {official.hint(path)}"
        )
    folder = str(fetch(checkpoint))
    return Place(_within(folder, folder), checkpoint.config)


def _unpacked(archive, scratch):
    local = archive
    if "://" in archive:
        local = scratch / os.path.basename(archive)
        tf.io.gfile.copy(archive, str(local))
    folder = scratch / "unpacked"
    extract(local, folder)
    return _within(str(folder), archive)


def _within(folder, given):
    """Returns the latest checkpoint in a folder by its state, else the only one."""
    found = sorted(
        os.path.join(parent, name).removesuffix(".index")
        for parent, _, names in tf.io.gfile.walk(folder)
        for name in names
        # Hidden: archives made on macOS hold a `._ckpt.index` beside `ckpt.index`.
        if name.endswith(".index") and not name.startswith(".")
    )
    parents = {os.path.dirname(prefix) for prefix in found}
    for parent in [folder, *parents] if len(parents) == 1 else [folder]:
        latest = _latest(parent)
        if latest in found:
            return _checked(latest)
    if len(found) == 1:
        return _checked(found[0])
    if found:
        listed = [prefix[len(folder) :].lstrip("/") for prefix in found]
    else:
        listed = sorted(tf.io.gfile.listdir(folder))
    raise ValueError(
        f"Expected one checkpoint in {given}, found {len(found)}: name one by its"
        f" prefix, the path without .index. There is: {', '.join(listed) or 'nothing'}."
    )


def _latest(folder):
    """Returns what the folder's state names, wherever the folder was then."""
    # Not tf.train.latest_checkpoint: that logs an error where this is None, and does
    # not find what has moved.
    state = tf.train.get_checkpoint_state(folder)
    name = os.path.basename(state.model_checkpoint_path) if state else ""
    return os.path.join(folder, name)


def _checked(prefix):
    if re.search(r"[][*?]", prefix):
        raise ValueError(
            f"{prefix}: TensorFlow reads no checkpoint whose path has one of [ ] * ?:"
            " rename it."
        )
    folder, name = os.path.split(prefix)
    if not any(
        file.startswith(f"{name}.data-") for file in tf.io.gfile.listdir(folder or ".")
    ):
        raise ValueError(f"{prefix}.index lies there without its {name}.data files.")
    return prefix
