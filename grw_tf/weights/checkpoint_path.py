"""Finds the checkpoint that a user names."""

import contextlib
import os
import pathlib
import re
import tempfile
from collections.abc import Iterator

import tensorflow as tf

from grw_tf.common.error_text import one_line
from grw_tf.common.first_few import first_few
from grw_tf.models import ModelConfig
from grw_tf.weights import official
from grw_tf.weights.download import fetch, fetch_grw
from grw_tf.weights.torch.archive import is_torch_file
from grw_tf.weights.unpacking import extract

_LISTED = 10
"""Files of a folder that an error names."""


@contextlib.contextmanager
def find_checkpoint(
    init_checkpoint: str | os.PathLike,
) -> Iterator[tuple[str, ModelConfig | None]]:
    """Yields the path of a checkpoint, and the config of an official one.

    The path is a prefix, which is without `.index`, or a PyTorch file. An archive stays
    unpacked while the context lasts.

    Args:
        init_checkpoint: A prefix, folder, SavedModel or .tar.gz, local or remote
            (gs://); a local PyTorch file; or the name of an official checkpoint or a
            published GRW model, which is downloaded once. An existing path takes
            precedence over a name.

    Raises:
        OSError: If it cannot be read or downloaded.
        ValueError: If there is no checkpoint, or if it is ambiguous which one is meant.
    """
    path = os.path.expanduser(os.fspath(init_checkpoint))
    with tempfile.TemporaryDirectory() as scratch:
        try:
            found = _find(path, pathlib.Path(scratch))
        except tf.errors.OpError as error:
            raise OSError(f"{path} cannot be read: {one_line(error)}") from None
        yield found


def _find(path, scratch):
    prefix = re.sub(r"\.(index|data-\d+-of-\d+)$", "", path)
    if tf.io.gfile.exists(f"{prefix}.index"):
        return _checked(prefix), None
    if tf.io.gfile.isdir(path):
        return _within(path, path), None
    if path.endswith((".tar.gz", ".tgz")) and tf.io.gfile.exists(path):
        return _unpacked(path, scratch), None
    if is_torch_file(path):
        return path, None
    if tf.io.gfile.exists(path):
        raise ValueError(
            f"{path} is not a TensorFlow checkpoint (there is no {prefix}.index), nor a"
            " PyTorch file: give the prefix of a checkpoint, its folder or a .tar.gz."
        )
    if path in official.GRW_MODELS:
        return str(fetch_grw(path)), None
    checkpoint = official.find(path)
    if checkpoint is None:
        raise ValueError(
            f"There is no checkpoint {path} (no {prefix}.index, folder or archive, and"
            f" no official checkpoint of this name). {official.hint(path)}"
        )
    fetched = str(fetch(checkpoint))
    if is_torch_file(fetched):
        return fetched, None
    return _within(fetched, fetched), checkpoint.config


def _unpacked(archive, scratch):
    local = archive
    if "://" in archive:
        local = scratch / os.path.basename(archive)
        tf.io.gfile.copy(archive, str(local))
    folder = scratch / "unpacked"
    extract(local, folder)
    return _within(str(folder), archive)


def _within(folder, given):
    """Returns the latest checkpoint that a folder's state names, else the only one."""
    found = sorted(
        os.path.join(parent, name).removesuffix(".index")
        for parent, _, names in tf.io.gfile.walk(folder)
        for name in names
        # Archives made on macOS hold a hidden `._ckpt.index` beside `ckpt.index`.
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
    if "saved_model.pb" in listed:
        raise ValueError(
            f"{given} is a SavedModel without its variables: the folder `variables`"
            " must lie beside saved_model.pb, with variables.index in it."
        )
    names = first_few(listed, _LISTED) or "nothing"
    raise ValueError(
        f"Expected one checkpoint in {given}, found {len(found)}: name one by its"
        f" prefix, the path without .index. There is: {names}."
    )


def _latest(folder):
    """Returns the checkpoint that a folder's state names, even if the folder moved."""
    # tf.train.latest_checkpoint logs an error without a state, and does not find
    # checkpoints that moved.
    state = tf.train.get_checkpoint_state(folder)
    name = os.path.basename(state.model_checkpoint_path) if state else ""
    return os.path.join(folder, name)


def _checked(prefix):
    if re.search(r"[][*?]", prefix):
        raise ValueError(
            f"{prefix}: TensorFlow cannot read a path with one of [ ] * ?: rename it."
        )
    folder, name = os.path.split(prefix)
    files = tf.io.gfile.listdir(folder or ".")
    if not any(file.startswith(f"{name}.data-") for file in files):
        raise ValueError(f"{prefix}.index lies there without its {name}.data files.")
    return prefix
