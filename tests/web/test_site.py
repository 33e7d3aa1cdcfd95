"""Tests of the site that is written, and of the server for it."""

import http.client
import json
import os
import pathlib
import re
import shutil
import stat
import threading

import pytest
from exported_files import VECTORS, foreign_files
from litert_packages import BUILDS, write_packages

from grw_tf.web.page import page_files, page_folder
from grw_tf.web.runtime import pinned_version
from grw_tf.web.server import SiteServer
from grw_tf.web.site import write_site

STEP = VECTORS / "step.tflite"


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """A folder like npm's, whose files hold their names."""
    folder = tmp_path_factory.mktemp("packages")
    write_packages(folder / "node_modules", pinned_version())
    return folder


@pytest.fixture
def write(packages, tmp_path):
    """A function that writes a site; returns its folder."""

    def write(model=STEP, runtime=packages, folder="site"):
        write_site(tmp_path / folder, model, str(runtime))
        return tmp_path / folder

    return write


def test_site_has_page_runtime_its_licence_and_model(write):
    site = write()
    record = json.loads((site / "site.json").read_text())
    assert record["model"] == "step.tflite"
    assert (site / "step.tflite").read_bytes() == STEP.read_bytes()
    for name in page_files():
        assert (site / name).read_bytes() == (page_folder() / name).read_bytes()
    licence = (site / "runtime" / "LICENSE.txt").read_text()
    assert "Copyright 2025 Google LLC" in licence
    assert "Apache License\n                           Version 2.0" in licence
    runtime = site / "runtime"
    assert (runtime / "core" / "index.js").read_text() == "core/dist/index.js"
    assert len(list((runtime / "wasm").iterdir())) == 2 * len(BUILDS)
    assert not list(site.rglob("package*.json")) and not list(site.rglob("*.map"))
    # What is kept for use without a network; one build is kept once it is used.
    held = {path.relative_to(site).as_posix() for path in site.rglob("*.*")}
    kept = {name for name in held if not name.startswith("runtime/wasm/")}
    assert set(record["files"]) == kept - {"site.json"}


def test_version_is_that_of_the_content(write):
    versions = [
        json.loads((write(*given) / "site.json").read_text())["version"]
        for given in ((STEP,), (STEP,), (VECTORS / "classify.tflite",), ("",))
    ]
    assert versions[0] == versions[1]
    assert len(set(versions)) == 3


def test_earlier_site_is_replaced_whole(write):
    site = write()
    (site / "of_former_version.js").write_text("")
    assert write(VECTORS / "classify.tflite") == site
    names = {path.name for path in site.iterdir()}
    assert not names & {"of_former_version.js", "step.tflite"}
    assert "classify.tflite" in names
    assert [path.name for path in site.parent.iterdir()] == ["site"]


def test_other_folder_is_not_overwritten(write, tmp_path):
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "index.html").write_text("mine")
    with pytest.raises(ValueError, match="exists and is not an earlier export"):
        write()
    assert (folder / "index.html").read_text() == "mine"
    (folder / "site.json").write_text('{"producer": "other"}')
    with pytest.raises(ValueError, match="exists and is not an earlier export"):
        write()


def test_empty_folder_is_filled(write, tmp_path):
    (tmp_path / "site").mkdir()
    assert (write() / "index.html").exists()


@pytest.mark.parametrize("name", ["counter", "chunks"])
def test_states_that_browsers_lack_are_refused(write, name, tmp_path):
    with pytest.raises(ValueError, match="int8, which LiteRT does not take"):
        write(VECTORS / f"{name}.tflite")
    assert not (tmp_path / "site").exists()


def test_foreign_model_is_refused(write, tmp_path):
    for name, content in foreign_files(STEP):
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(content)
        with pytest.raises(ValueError, match="not an export of grw_tf"):
            write(path)
    assert not (tmp_path / "site").exists()


def test_model_of_any_name_is_copied_beside_the_page(write, tmp_path):
    path = tmp_path / "main.js"
    path.write_bytes(STEP.read_bytes())
    site = write(path)
    assert (site / "main.tflite").read_bytes() == STEP.read_bytes()
    assert (site / "main.js").read_text() == (page_folder() / "main.js").read_text()


def test_model_is_kept_by_the_address_that_the_page_asks_for(write, tmp_path):
    path = tmp_path / "my model (1)'é.tflite"
    path.write_bytes(STEP.read_bytes())
    record = json.loads((write(path) / "site.json").read_text())
    # What JavaScript's encodeURIComponent gives.
    assert "my%20model%20(1)'%C3%A9.tflite" in record["files"]


def test_site_has_nothing_that_npm_or_an_editor_left(write, monkeypatch, tmp_path):
    folder = tmp_path / "web"
    shutil.copytree(page_folder(), folder)
    expected = page_files()
    write_packages(folder / "node_modules", pinned_version())
    for name in (".DS_Store", ".main.js.swp"):
        (folder / name).write_text("")
    for module in ("page", "site", "runtime"):
        monkeypatch.setattr(f"grw_tf.web.{module}.page_folder", lambda: folder)
    assert page_files() == expected
    site = write(runtime=folder)
    assert not (site / "node_modules").exists() and not list(site.rglob(".*"))


def test_runtime_of_another_version_is_refused(write, tmp_path):
    write_packages(tmp_path / "other", "1.0.0")
    with pytest.raises(ValueError, match=f"1.0.0, .* made for {pinned_version()}: run"):
        write(runtime=tmp_path / "other")


def test_folder_without_runtime_is_refused(write, tmp_path):
    with pytest.raises(ValueError, match="has no @litertjs/core: run npm install"):
        write(runtime=tmp_path)
    write_packages(tmp_path / "part", pinned_version())
    next((tmp_path / "part").rglob("*_jspi_internal.wasm")).unlink()
    with pytest.raises(ValueError, match="lacks @litertjs/core/wasm/litert_wasm_jspi"):
        write(runtime=tmp_path / "part")


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """A function that puts a program in the place of npm."""

    def put(script):
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "npm").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "npm").chmod(stat.S_IRWXU)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")

    return put


def test_npm_is_asked_for_what_the_lock_pins_and_runs_no_script(
    npm, packages, tmp_path
):
    asked = tmp_path / "asked"
    npm(f'echo "$@" > {asked}; cat package-lock.json >> {asked}; cp -r {packages}/* .')
    write_site(tmp_path / "site", STEP)
    command, *lock = asked.read_text().splitlines()
    assert command.startswith("ci --ignore-scripts ")
    assert "\n".join(lock) == (page_folder() / "package-lock.json").read_text().strip()
    assert (tmp_path / "site" / "runtime" / "core" / "index.js").exists()


def test_npm_that_fails_is_told_in_a_line(npm, tmp_path):
    npm(
        "echo 'npm error code E404' >&2; echo 'npm error 404 no such thing' >&2;"
        " echo 'npm error A complete log of this run is in /x' >&2; exit 1"
    )
    with pytest.raises(OSError) as error:
        write_site(tmp_path / "site", STEP)
    told = str(error.value)
    assert "could not fetch LiteRT.js (code E404 404 no such thing)" in told
    assert "by --runtime" in told and "\n" not in told and "/x" not in told
    assert not (tmp_path / "site").exists()


def test_without_npm_the_ways_are_told(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OSError, match="install Node.js, .* or give a folder"):
        write_site(tmp_path / "site", STEP)


def test_lock_pins_contents_and_no_registry():
    lock = json.loads((page_folder() / "package-lock.json").read_text())
    package = json.loads((page_folder() / "package.json").read_text())
    assert package["dependencies"] == {"@litertjs/core": pinned_version()}
    docs = page_folder().parents[1] / "docs" / "browser.md"
    assert f"@litertjs/core@{pinned_version()}`" in docs.read_text()
    own, *others = lock["packages"].values()
    assert own["dependencies"] == package["dependencies"]
    assert len(others) == 2
    for each in others:
        assert each["integrity"].startswith("sha512-")
        assert "resolved" not in each


def test_modules_import_what_is_there():
    """Finds imports of the page's modules that name no file, and files unused."""
    folder = page_folder()
    named = {"main.js", "service_worker.js"}
    for path in folder.glob("*.js"):
        for name in re.findall(r'from "([^"]+)"', path.read_text()):
            if name == "@litertjs/core":
                continue
            assert (folder / name).is_file(), f"{path.name} imports {name}"
            named.add(pathlib.PurePath(name).name)
    assert {path.name for path in folder.glob("*.js")} == named


@pytest.fixture
def get(write):
    """A function that asks a server of a site; returns status, headers and content."""
    server = SiteServer(write(), 0)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()

    def get(path, method="GET", **headers):
        connection = http.client.HTTPConnection("localhost", server.server_port)
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response.status, response.headers, content

    yield get
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    "path, kind",
    [
        ("/", "text/html; charset=utf-8"),
        ("/main.js", "text/javascript; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
        ("/site.json", "application/json"),
        ("/icon.svg", "image/svg+xml"),
        ("/step.tflite", "application/octet-stream"),
        ("/runtime/wasm/litert_wasm_internal.wasm", "application/wasm"),
    ],
)
def test_server_isolates_pages_and_tells_types(get, path, kind):
    status, headers, content = get(path)
    assert status == 200 and len(content) == int(headers["Content-Length"]) > 0
    assert headers["Content-Type"] == kind
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize(
    "asked, part",
    [
        ("bytes=0-3", slice(0, 4)),
        ("bytes=4-7", slice(4, 8)),
        ("bytes=100-", slice(100, None)),
        ("bytes=-5", slice(-5, None)),
        ("bytes=0-999999999", slice(None)),
    ],
)
def test_server_gives_parts(get, asked, part):
    whole = STEP.read_bytes()
    status, headers, content = get("/step.tflite", Range=asked)
    assert status == 206
    assert content == whole[part]
    begin, stop, _ = part.indices(len(whole))
    assert headers["Content-Range"] == f"bytes {begin}-{stop - 1}/{len(whole)}"
    assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    status, headers, content = get("/step.tflite", "HEAD", Range=asked)
    assert (status, content) == (206, b"")


@pytest.mark.parametrize("asked", ["bytes=5-1", "bytes=99999999-", "bytes=-0"])
def test_server_refuses_parts_that_are_not_there(get, asked):
    status, headers, content = get("/step.tflite", Range=asked)
    assert (status, content) == (416, b"")
    assert headers["Content-Range"] == f"bytes */{STEP.stat().st_size}"


@pytest.mark.parametrize(
    "asked",
    ["bytes=", "lines=1-2", "bytes=1-2,4-5", "bytes=a-", f"bytes={5000 * '9'}-"],
    ids=["none", "lines", "two", "letter", "huge"],
)
def test_server_gives_all_for_ranges_that_it_does_not_read(get, asked):
    status, _, content = get("/step.tflite", Range=asked)
    assert (status, content) == (200, STEP.read_bytes())


@pytest.mark.parametrize(
    "path", ["/nothing", "/runtime/", "/../site.json/x", "/%2e%2e/%2e%2e/etc/passwd"]
)
def test_server_gives_nothing_else(get, path):
    status, headers, _ = get(path)
    assert status == 404
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:8000", ""])
def test_server_answers_no_other_name_of_this_machine(get, method, host):
    status, _, content = get("/step.tflite", method, Host=host)
    assert status == 403 and STEP.read_bytes() not in content


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000"])
def test_server_answers_its_own_names(get, host):
    assert get("/step.tflite", Host=host)[0] == 200


def test_server_listens_to_this_machine_alone(write):
    with SiteServer(write(), 0) as server:
        assert server.server_address[0] == "127.0.0.1"
        assert server.url == f"http://localhost:{server.server_port}/"
        with pytest.raises(OSError, match=r"\(it is in use\): give another --port"):
            SiteServer(server.folder, server.server_port)
    with pytest.raises(OSError, match="Port 99999 cannot be served"):
        SiteServer(server.folder, 99999)
