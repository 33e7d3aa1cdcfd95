"""Downloads that survive interruption and run in several processes at once."""

import base64
import hashlib
import http.client
import logging
import os
import pathlib
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import tqdm

from grw_tf.common.file_lock import locked
from grw_tf.weights.unpacking import extract

if TYPE_CHECKING:
    # Its models need TensorFlow, which downloads do not.
    from grw_tf.weights.official import OfficialCheckpoint

_ATTEMPTS = 4
_PAUSE_SECONDS = 2.0
_TIMEOUT_SECONDS = 30.0


def cache_folder() -> pathlib.Path:
    """Returns the folder of downloads: $GRW_TF_CACHE, or grw_tf in the user's cache."""
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    named = os.environ.get("GRW_TF_CACHE") or f"{caches}/grw_tf"
    return pathlib.Path(named).expanduser()


def fetch(checkpoint: "OfficialCheckpoint") -> pathlib.Path:
    """Returns the folder of an official checkpoint, downloaded if it is not there.

    An interrupted download resumes. An archive that the user put into the cache as
    `<name>.tar.gz` takes precedence over a download.

    Raises:
        OSError: If it cannot be downloaded.
        ValueError: If the archive cannot be unpacked.
    """
    cache = cache_folder()
    folder = cache / checkpoint.name
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    given = cache / f"{checkpoint.name}.tar.gz"
    part = cache / f"{checkpoint.name}.tar.gz.part"
    with locked(cache / f"{checkpoint.name}.lock"):
        # While this process waited, another may have made the folder.
        if not folder.is_dir():
            if given.is_file():
                extract(given, folder)
            else:
                _download(checkpoint, part)
                try:
                    extract(part, folder)
                except ValueError as error:
                    part.unlink()
                    raise ValueError(
                        f"{checkpoint.url} sent no sound archive: {error}"
                    ) from None
            part.unlink(missing_ok=True)
    return folder


def _download(checkpoint, part):
    headers = _receive_all(checkpoint, part)
    wanted = _md5(headers)
    found = hashlib.md5(part.read_bytes(), usedforsecurity=False).digest()
    found = base64.b64encode(found).decode()
    if wanted not in (None, found):
        part.unlink()
        raise OSError(
            f"{checkpoint.url} arrived damaged and was deleted: its MD5 is {found}, the"
            f" server says {wanted}. Run again."
        )


def _receive_all(checkpoint, part):
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return _receive(checkpoint, part)
        except (OSError, http.client.HTTPException) as error:
            refused = isinstance(error, urllib.error.HTTPError) and error.code < 500
            if refused or attempt == _ATTEMPTS:
                raise OSError(_advice(checkpoint, part, error)) from None
            logging.warning("%s: %s. Trying again.", checkpoint.url, error)
        time.sleep(_PAUSE_SECONDS)


def _advice(checkpoint, part, error):
    size = _size(part)
    kept = f" {size} bytes are kept: run again to resume." if size else ""
    return (
        f"{checkpoint.url} cannot be downloaded: {error}.{kept} If this repeats, get"
        f" it by other means and give its path, /path/{checkpoint.name}.tar.gz, in"
        f" place of its name, or put it into {part.parent} as"
        f" {checkpoint.name}.tar.gz."
    )


def _receive(checkpoint, part):
    """Downloads the missing bytes and returns the headers of the server's answer."""
    have = _size(part)
    # Servers may unpack archives for clients that do not accept gzip.
    headers = {"Accept-Encoding": "gzip"}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(checkpoint.url, headers=headers)
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not have:
            raise
        if error.headers["Content-Range"] == f"bytes */{have}":
            return error.headers
        part.unlink()
        return _receive(checkpoint, part)
    with response:
        resumed = response.status == http.HTTPStatus.PARTIAL_CONTENT
        if not resumed:
            have = 0
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            part.unlink()
            raise OSError(f"the server did not resume from byte {have}")
        total = None if response.length is None else have + response.length
        with (
            open(part, "ab" if resumed else "wb") as file,
            tqdm.tqdm(
                desc=checkpoint.name,
                total=total,
                initial=have,
                unit="B",
                unit_scale=True,
            ) as bar,
        ):
            while data := response.read1(2**16):
                bar.update(file.write(data))
        if total is not None and _size(part) < total:
            raise OSError(f"the connection ended after {_size(part)} of {total} bytes")
        return response.headers


def _size(path):
    return path.stat().st_size if path.exists() else 0


def _md5(headers):
    """Returns the base64 MD5 in the headers of Google's storage, None without one."""
    for header in headers.get_all("x-goog-hash", []):
        for entry in header.split(","):
            kind, _, value = entry.strip().partition("=")
            if kind == "md5":
                return value
    return None
