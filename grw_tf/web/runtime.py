"""Fetches LiteRT.js, which runs models in browsers, in the version that is pinned."""

import contextlib
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from grw_tf.web.page import PACKAGES, page_folder

_CORE = "@litertjs/core"
_UTILS = "@litertjs/wasm-utils"

# In the packages, and in the site's folder `runtime`. The builds in WebAssembly are for
# browsers with and without relaxed SIMD, for threads, and for GPUs.
_FILES = {
    f"{_CORE}/dist/index.js": "core/index.js",
    f"{_UTILS}/dist/index.js": "wasm-utils/index.js",
} | {
    f"{_CORE}/wasm/litert_wasm_{build}internal.{kind}": (
        f"wasm/litert_wasm_{build}internal.{kind}"
    )
    for build in ("", "compat_", "threaded_", "jspi_")
    for kind in ("js", "wasm")
}

_NO_NPM = (
    "npm is needed to fetch LiteRT.js: install Node.js, which has it, or give a folder"
    f" with {_CORE} {{version}} by --runtime."
)


def pinned_version() -> str:
    """Returns the version of LiteRT.js that the page is made for."""
    lock = json.loads((page_folder() / "package-lock.json").read_text())
    return lock["packages"][f"node_modules/{_CORE}"]["version"]


@contextlib.contextmanager
def runtime_folder(given: str) -> Iterator[Path]:
    """Yields a folder that holds npm's packages of LiteRT.js.

    Args:
        given: A folder that has them, itself or in `node_modules`; "" fetches them by
            npm.

    Raises:
        OSError: If npm is not there, or fails.
        ValueError: If the folder has no such packages, or another version.
    """
    if given:
        yield _checked(Path(given))
        return
    with tempfile.TemporaryDirectory() as folder:
        _install(Path(folder))
        yield Path(folder) / "node_modules"


def copy_runtime(packages: Path, target: Path) -> None:
    """Copies what the page loads of the packages into a folder."""
    for source, name in _FILES.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(packages / source, target / name)


def _checked(folder):
    version = pinned_version()
    for packages in (folder, folder / "node_modules"):
        try:
            found = json.loads((packages / _CORE / "package.json").read_text())
            found = found["version"]
        except (OSError, ValueError, LookupError, TypeError):
            continue
        if found != version:
            raise ValueError(
                f"{folder} has {_CORE} {found}, and the page is made for {version}: run"
                f" npm install {_CORE}@{version} there."
            )
        lacks = [name for name in _FILES if not (packages / name).is_file()]
        if lacks:
            raise ValueError(
                f"{folder} lacks {lacks[0]}: run npm install {_CORE}@{version} there."
            )
        return packages
    raise ValueError(
        f"{folder} has no {_CORE}: run npm install {_CORE}@{version} there, or leave"
        " --runtime out."
    )


def _install(folder):
    npm = shutil.which("npm")
    if npm is None:
        raise OSError(_NO_NPM.format(version=pinned_version()))
    for name in PACKAGES:
        shutil.copyfile(page_folder() / name, folder / name)
    quiet = ("--no-audit", "--no-fund", "--loglevel=error")
    done = subprocess.run(
        [npm, "ci", "--ignore-scripts", *quiet],
        cwd=folder,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode != 0:
        raise OSError(
            f"npm could not fetch LiteRT.js ({_reason(done.stderr)}): connect to a"
            " registry of npm's packages, or give a folder with"
            f" {_CORE} {pinned_version()} by --runtime."
        )


def _reason(stderr):
    """Returns what npm says was wrong, without where its log is."""
    lines = [re.sub("^npm (ERR!|error) ?", "", line) for line in stderr.splitlines()]
    told = [line for line in lines if line and "complete log" not in line]
    return " ".join(" ".join(told[:3]).split()) or "it says nothing"
