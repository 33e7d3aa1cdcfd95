"""A browser, and the page in it."""

import os
import pathlib
import shutil
import subprocess
import threading

import pytest
from exported_files import VECTORS

from grw_tf.web.page import PACKAGES, page_folder
from grw_tf.web.server import SiteServer
from grw_tf.web.site import write_site

HERE = pathlib.Path(__file__).parent
# Without a sandbox it starts for root too; it asks no one for anything.
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--use-fake-ui-for-media-stream"),
    "--use-fake-device-for-media-stream",
)


@pytest.fixture(scope="session")
def runtime(tmp_path_factory):
    """A folder of LiteRT.js: that of LITERT_JS, or one that npm fetches."""
    if os.environ.get("LITERT_JS"):
        return os.environ["LITERT_JS"]
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm for LiteRT.js: install Node.js, or set LITERT_JS")
    folder = tmp_path_factory.mktemp("runtime")
    for name in PACKAGES:
        shutil.copy(page_folder() / name, folder)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"npm cannot fetch LiteRT.js here: {done.stderr[-300:]}")
    return str(folder)


# Of a module: while Playwright runs, nothing else in the process can run an event loop.
@pytest.fixture(scope="module")
def launch():
    """A function that starts a browser with more flags."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no Playwright")
    names = ("chromium", "chromium-browser", "google-chrome")
    chromium = next(filter(None, map(shutil.which, names)), None)
    if chromium is None:
        pytest.skip("no Chromium: install chromium or google-chrome")
    with playwright.sync_playwright() as started:
        browsers = []

        def launch(*flags):
            browser = started.chromium.launch(
                executable_path=chromium, args=[*FLAGS, *flags]
            )
            browsers.append(browser)
            return browser

        yield launch
        for browser in browsers:
            browser.close()


@pytest.fixture(scope="module")
def browser(launch):
    return launch()


@pytest.fixture(scope="session")
def serve(runtime, tmp_path_factory):
    """A function that serves a site with a model; returns the `SiteServer`."""
    servers = []

    def serve(model=""):
        folder = tmp_path_factory.mktemp("sites") / "site"
        write_site(folder, model, runtime)
        server = SiteServer(folder, 0)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return server

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def modules(browser, serve):
    """A page of a site that has tests/vectors and these tests' modules too."""
    server = serve()
    folder = server.folder
    shutil.copytree(VECTORS, folder / "vectors")
    shutil.copytree(HERE, folder / "tests", ignore=shutil.ignore_patterns("*.py"))
    page = browser.new_page()
    page.goto(server.url)
    # LiteRT can be loaded once only, and the page does it.
    page.locator('body[data-state="empty"]').wait_for()
    page.folder = folder
    return page
