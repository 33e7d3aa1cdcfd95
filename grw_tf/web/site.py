"""Writes a static site: the page, LiteRT.js and an exported file."""

import hashlib
import json
import os
import shutil
import urllib.parse
from pathlib import Path

import grw_tf
from grw_tf.common.output_folder import check_replaceable
from grw_tf.common.replacing import replacing_folder
from grw_tf.streaming.exported_file import read_exported_file
from grw_tf.web.page import page_files, page_folder
from grw_tf.web.runtime import copy_runtime, runtime_folder

_PRODUCER = "grw_tf web"
_RECORD = "site.json"
# LiteRT.js has no other types of tensors.
_DTYPES = ("float32", "int32", "uint8")


def check_site(path: str | os.PathLike) -> None:
    """Raises a ValueError if a path exists and is not an earlier site."""
    check_replaceable(Path(path), Path(_RECORD), _PRODUCER)


def check_runs_in_browsers(path: str | os.PathLike) -> None:
    """Checks that browsers can run an exported file.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is not an export of this project, is damaged, or has states
            of a type that LiteRT.js does not take.
    """
    exported = read_exported_file(path)
    for _, dtype, _ in exported.states.values():
        if dtype.name not in _DTYPES:
            raise ValueError(
                f"{exported.path} has states in {dtype.name}, which LiteRT does not"
                " take in browsers: export the model again with another --quantization"
                " than int8 and int16."
            )


def write_site(path: str | os.PathLike, model: str = "", runtime: str = "") -> None:
    """Writes the site, in place of an earlier one.

    Args:
        path: The folder to write.
        model: An exported file that the page opens; "" for none.
        runtime: A folder that has LiteRT.js; "" fetches it by npm.

    Raises:
        OSError: If a file cannot be read or written, or npm fails.
        ValueError: If `path` is something else than a site, browsers cannot run the
            model, or `runtime` has no LiteRT.js.
    """
    check_site(path)
    if model:
        check_runs_in_browsers(model)
    with runtime_folder(runtime) as packages, replacing_folder(path) as site:
        for file in page_files():
            (site / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(page_folder() / file, site / file)
        copy_runtime(packages, site / "runtime")
        name = f"{Path(model).stem}.tflite" if model else None
        if name:
            shutil.copyfile(model, site / name)
        _write_record(site, name)


def _write_record(site, model):
    """Writes what the page and its service worker know of the site."""
    files = sorted(path for path in site.rglob("*") if path.is_file())
    names = [path.relative_to(site).as_posix() for path in files]
    digest = hashlib.sha256()
    for name, path in zip(names, files, strict=True):
        digest.update(name.encode() + hashlib.sha256(path.read_bytes()).digest())
    record = {
        "producer": f"{_PRODUCER} {grw_tf.__version__}",
        "version": digest.hexdigest()[:16],
        "model": model,
        # A browser uses one of the builds in WebAssembly, and keeps that.
        "files": [
            # As encodeURIComponent, by which the page asks for its model.
            urllib.parse.quote(name, safe="/!'()*")
            for name in names
            if not name.startswith("runtime/wasm/")
        ],
    }
    (site / _RECORD).write_text(json.dumps(record, indent=2) + "\n")
