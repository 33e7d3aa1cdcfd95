"""Where published weights can still be had."""

import dataclasses
import logging
import pathlib
import shutil
import tempfile
from collections.abc import Callable
from http import HTTPStatus

from grw_tf.common.error_text import one_line
from grw_tf.weights.unpacking import extract

_TIMEOUT_SECONDS = 30.0
HUGGING_FACE = "DrGil/grw-smoothing-movinet"
"""The repository of the published GRW models on the Hugging Face hub."""


@dataclasses.dataclass(frozen=True)
class Source:
    """A place that weights can be fetched from.

    Attributes:
        title: Its name, for people.
        fetch: Function that writes the weights to a path that does not exist yet, a
            folder or a file. It may raise anything.
    """

    title: str
    fetch: Callable[[pathlib.Path], None]


def kaggle(handle: str) -> Source:
    """Returns a model on Kaggle, as a folder: "google/movinet/.../2"."""

    def fetch(target):
        import kagglehub
        import requests

        try:
            kagglehub.model_download(handle, output_dir=str(target))
        except requests.HTTPError as error:
            status = error.response.status_code
            if status not in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                raise
            raise ValueError(
                f"HTTP {status}: it does not accept the login. Public models need"
                " none: renew or remove the token in ~/.kaggle or KAGGLE_API_TOKEN"
            ) from error
        if not any(target.rglob("*.index")):
            shutil.rmtree(target)
            raise ValueError("it sent no checkpoint")

    return Source(f"Kaggle ({handle})", fetch)


def archive(url: str) -> Source:
    """Returns a .tar.gz on a server, unpacked to a folder."""

    def fetch(target):
        import pooch

        pooch.get_logger().setLevel(logging.WARNING)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            downloader = pooch.HTTPDownloader(
                progressbar=True, timeout=_TIMEOUT_SECONDS
            )
            # No SHA-256 is published; gzip has a checksum of its own.
            file = pooch.retrieve(url, None, path=folder, downloader=downloader)
            extract(file, target)

    return Source(url, fetch)


def hugging_face(name: str) -> Source:
    """Returns a file of a published GRW model on the Hugging Face hub."""

    def fetch(target):
        try:
            import huggingface_hub
        except ImportError:
            raise ValueError("run pip install 'grw_tf[hub]' first") from None
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            file = huggingface_hub.hf_hub_download(
                HUGGING_FACE, f"{name}.pt", local_dir=folder
            )
            shutil.move(file, target)

    return Source(f"Hugging Face ({HUGGING_FACE})", fetch)


def fetch_first(
    name: str, sources: list[Source], target: pathlib.Path
) -> dict[str, str]:
    """Fetches weights from the first source that gives them.

    Args:
        name: Of the weights, for people.
        sources: In the order in which to ask.
        target: The folder or file to write.

    Returns:
        What each source answered instead, by title. If all did, there is no `target`.
    """
    refusals = {}
    for source in sources:
        print(f"{name}: asking {source.title}.", flush=True)
        try:
            source.fetch(target)
        # Each library has many types of its own.
        except Exception as error:
            refusals[source.title] = one_line(error) or type(error).__name__
            print(f"{name}: {refusals[source.title]}", flush=True)
        else:
            return {}
    return refusals
