"""Published weights by name: from the cache, or else from where they can be had."""

import os
import pathlib
from typing import TYPE_CHECKING

from grw_tf.common.file_lock import locked
from grw_tf.weights import sources
from grw_tf.weights.unpacking import extract

if TYPE_CHECKING:
    # Its models need TensorFlow, which downloads do not.
    from grw_tf.weights.official import OfficialCheckpoint

_KAGGLE_PAGE = "https://www.kaggle.com/models/google/movinet"
_PYTORCH_PORT = "https://github.com/Atze00/MoViNet-pytorch"
_GRW_PAGE = f"https://huggingface.co/{sources.HUGGING_FACE}"


def cache_folder() -> pathlib.Path:
    """Returns the folder of downloads: $GRW_TF_CACHE, or grw_tf in the user's cache."""
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    named = os.environ.get("GRW_TF_CACHE") or f"{caches}/grw_tf"
    return pathlib.Path(named).expanduser()


def cached(name: str) -> pathlib.Path | None:
    """Returns the weights of a name in the cache, None if there are none.

    They are a folder, or a PyTorch file `<name>.pt`.
    """
    found = cache_folder() / name, cache_folder() / f"{name}.pt"
    return next((path for path in found if path.exists()), None)


def fetch(checkpoint: "OfficialCheckpoint") -> pathlib.Path:
    """Returns the weights of an official checkpoint, downloaded if they are not there.

    Files that the user put into the cache take precedence: `<name>.tar.gz`, or the
    PyTorch port's as `<name>.pt`. Otherwise Kaggle is asked first, then the Model
    Garden's server.

    Raises:
        OSError: If no source gives them. The message names what each answered, and
            three ways to bring them by hand.
        ValueError: If an archive in the cache cannot be unpacked.
    """
    folder = _prepared(checkpoint.name)
    with locked(folder.with_name(f"{checkpoint.name}.lock")):
        # While this process waited, another may have fetched it.
        if found := cached(checkpoint.name):
            return found
        given = folder.with_name(f"{checkpoint.name}.tar.gz")
        if given.is_file():
            extract(given, folder)
            return folder
        refusals = sources.fetch_first(
            checkpoint.name,
            [sources.kaggle(checkpoint.kaggle), sources.archive(checkpoint.url)],
            folder,
        )
        if refusals:
            raise OSError(
                f"{_refused(checkpoint.name, refusals)} Bring it by hand:"
                f" (1) from {_KAGGLE_PAGE}, framework TensorFlow 2, variation"
                f" {checkpoint.variation}, downloaded as tar.gz: put it at {given};"
                f" (2) {_port(checkpoint)}; or (3) give the path of any copy of yours"
                " in place of the name."
            )
    return folder


def fetch_grw(name: str) -> pathlib.Path:
    """Returns the PyTorch file of a published GRW model, downloaded if it is missing.

    Args:
        name: One of `official.GRW_MODELS`.

    Raises:
        OSError: If the hub does not give it.
    """
    file = _prepared(name).with_name(f"{name}.pt")
    with locked(file.with_name(f"{name}.lock")):
        if file.exists():
            return file
        refusals = sources.fetch_first(name, [sources.hugging_face(name)], file)
        if refusals:
            raise OSError(
                f"{_refused(name, refusals)} Download {name}.pt from {_GRW_PAGE}, and"
                f" put it at {file}, or give its path in place of the name."
            )
    return file


def _prepared(name):
    cache_folder().mkdir(parents=True, exist_ok=True)
    return cache_folder() / name


def _port(checkpoint):
    file = checkpoint.port_file
    if not file:
        return f"the PyTorch port, {_PYTORCH_PORT}, does not have this one"
    there = cache_folder() / f"{checkpoint.name}.pt"
    return f"from {_PYTORCH_PORT}, weights/{file}: put it at {there}"


def _refused(name, refusals):
    answers = "; ".join(f"{title}: {answer}" for title, answer in refusals.items())
    return f"{name} cannot be downloaded ({answers})."
