"""Tests of published weights by name, from a cache and from sources that refuse."""

import contextlib
import http.server
import io
import pathlib
import random
import subprocess
import sys
import tarfile
import threading
import time
import types

import pytest
import requests

from grw_tf.weights import download, official, sources
from grw_tf.weights.download import cache_folder, cached, fetch, fetch_grw

NAME = "movinet_a0_stream"
NOISE = random.Random(0).randbytes(300_000)

# `official` itself would cost each process the start of TensorFlow.
PROCESS = """
import sys, types
from grw_tf.weights import sources
from grw_tf.weights.download import fetch
def refuse(*_, **__):
    raise OSError("refused")
sys.modules["kagglehub"] = types.SimpleNamespace(model_download=refuse)
print(fetch(types.SimpleNamespace(name=sys.argv[1], url=sys.argv[2], kaggle="")))
"""


def _archive():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        member = tarfile.TarInfo("noise")
        member.size = len(NOISE)
        tar.addfile(member, io.BytesIO(NOISE))
    return file.getvalue()


ARCHIVE = _archive()


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked += 1
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(ARCHIVE)))
        self.end_headers()
        time.sleep(self.server.pause)
        # Clients that have given up are no error here.
        with contextlib.suppress(ConnectionError):
            self.wfile.write(self.server.data)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server of `data` with a `status`; it counts how often it was `asked`."""
    monkeypatch.setenv("GRW_TF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    server = http.server.ThreadingHTTPServer(("localhost", 0), _Handler)
    server.status, server.data, server.asked, server.pause = 200, ARCHIVE, 0, 0.0
    url = f"http://localhost:{server.server_port}/{NAME}.tar.gz"
    known = official.OFFICIAL[NAME]
    server.checkpoint = types.SimpleNamespace(
        name=NAME,
        url=url,
        kaggle=known.kaggle,
        variation=known.variation,
        port_file=known.port_file,
    )
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def library(monkeypatch):
    """A function that puts functions in place of a library of downloads."""

    def replace(name, **functions):
        monkeypatch.setitem(sys.modules, name, types.SimpleNamespace(**functions))

    return replace


@pytest.fixture
def kaggle_refuses(library):
    def refuse(*_, **__):
        raise OSError("no such host")

    library("kagglehub", model_download=refuse)


def _left():
    return sorted(path.name for path in cache_folder().iterdir())


@pytest.mark.parametrize(
    "environment, folder",
    [
        ({"GRW_TF_CACHE": "/a/b"}, "/a/b"),
        ({"GRW_TF_CACHE": "~/b", "XDG_CACHE_HOME": "/x"}, "/home/me/b"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/grw_tf"),
        ({}, "/home/me/.cache/grw_tf"),
    ],
)
def test_cache_lies_where_the_environment_says(monkeypatch, environment, folder):
    monkeypatch.setenv("HOME", "/home/me")
    for name in ("GRW_TF_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == pathlib.Path(folder)


def test_kaggle_is_asked_first_for_the_version_of_the_weights(server, library, capsys):
    asked = []

    def download_model(handle, output_dir):
        asked.append(handle)
        variables = pathlib.Path(output_dir) / "variables"
        variables.mkdir(parents=True)
        (variables / "variables.index").write_bytes(b"")
        return output_dir

    library("kagglehub", model_download=download_model)
    assert fetch(server.checkpoint) == cache_folder() / NAME == cached(NAME)
    assert asked == [
        "google/movinet/tensorFlow2/a0-stream-kinetics-600-classification/2"
    ]
    assert server.asked == 0
    assert capsys.readouterr().out == f"{NAME}: asking Kaggle ({asked[0]}).\n"


def test_where_kaggle_refuses_the_server_is_asked(server, kaggle_refuses, capfd):
    assert (fetch(server.checkpoint) / "noise").read_bytes() == NOISE
    assert _left() == [NAME, f"{NAME}.lock"]
    captured = capfd.readouterr()
    assert [line.partition(" (")[0] for line in captured.out.splitlines()] == [
        f"{NAME}: asking Kaggle",
        f"{NAME}: no such host",
        f"{NAME}: asking {server.checkpoint.url}.",
    ]
    assert "100%" in captured.err


@pytest.mark.parametrize("status", [401, 403])
def test_login_that_kaggle_does_not_accept_is_told(server, library, capsys, status):
    response = requests.Response()
    response.status_code = status

    def refuse(*_, **__):
        raise requests.HTTPError("Client Error.\n\nYou don't", response=response)

    library("kagglehub", model_download=refuse)
    assert (fetch(server.checkpoint) / "noise").read_bytes() == NOISE
    told = capsys.readouterr().out.splitlines()[1]
    assert f"HTTP {status}: it does not accept the login" in told
    assert "KAGGLE_API_TOKEN" in told


def test_kaggle_without_a_checkpoint_counts_as_a_refusal(server, library):
    def send_a_page(handle, output_dir):
        pathlib.Path(output_dir).mkdir()
        (pathlib.Path(output_dir) / "page.html").write_text("<html>")

    library("kagglehub", model_download=send_a_page)
    assert (fetch(server.checkpoint) / "noise").read_bytes() == NOISE


def test_where_all_refuse_three_ways_are_told(server, kaggle_refuses):
    server.status = 403
    with pytest.raises(OSError) as error:
        fetch(server.checkpoint)
    message = str(error.value)
    assert len(message.splitlines()) == 1
    assert "no such host" in message and "403" in message
    assert "https://www.kaggle.com/models/google/movinet" in message
    assert f"put it at {cache_folder() / NAME}.tar.gz" in message
    assert "weights/modelA0_stream_statedict_v3: put it at" in message
    assert f"{cache_folder() / NAME}.pt" in message
    assert "the path of any copy of yours in place of the name" in message
    assert _left() == [f"{NAME}.lock"]


def test_port_without_a_model_is_said_to_have_none(server, kaggle_refuses):
    server.status, server.checkpoint.port_file = 403, None
    with pytest.raises(OSError, match="MoViNet-pytorch, does not have this one"):
        fetch(server.checkpoint)


@pytest.mark.parametrize(
    "data, message",
    [
        (b"<!doctype html><html>Sign in</html>", "web page"),
        (ARCHIVE[:100_000], "Connection broken|cannot be unpacked"),
        (ARCHIVE[:-20] + bytes(20), "cannot be unpacked"),
    ],
    ids=["sign-in page", "cut", "damaged"],
)
def test_unsound_archive_is_told_and_not_kept(server, kaggle_refuses, data, message):
    server.data = data.ljust(len(ARCHIVE)) if b"html" in data else data
    with pytest.raises(OSError, match=message):
        fetch(server.checkpoint)
    assert _left() == [f"{NAME}.lock"]


def test_what_is_in_the_cache_needs_no_network(server, kaggle_refuses):
    (cache_folder() / NAME).mkdir(parents=True)
    assert fetch(server.checkpoint) == cache_folder() / NAME
    assert server.asked == 0


def test_archive_put_into_the_cache_is_taken_and_kept(server, kaggle_refuses):
    cache_folder().mkdir()
    archive = cache_folder() / f"{NAME}.tar.gz"
    archive.write_bytes(ARCHIVE)
    assert (fetch(server.checkpoint) / "noise").read_bytes() == NOISE
    assert server.asked == 0
    assert archive.exists()


def test_pytorch_file_put_into_the_cache_is_taken(server, kaggle_refuses):
    cache_folder().mkdir()
    file = cache_folder() / f"{NAME}.pt"
    file.write_bytes(b"PK")
    assert fetch(server.checkpoint) == file
    assert server.asked == 0


def test_two_processes_download_once(server):
    server.pause = 1.0
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, NAME, server.checkpoint.url],
            cwd=pathlib.Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    printed = [process.communicate() for process in processes]
    last = [output.splitlines()[-1] for output, _ in printed]
    assert last == 2 * [str(cache_folder() / NAME)], printed
    assert server.asked == 1


def test_grw_model_comes_from_the_hub(server, library):
    def download_file(repository, name, local_dir):
        assert (repository, name) == (sources.HUGGING_FACE, "a0s_grw.pt")
        file = pathlib.Path(local_dir) / name
        file.write_bytes(b"PK")
        return str(file)

    library("huggingface_hub", hf_hub_download=download_file)
    file = fetch_grw("a0s_grw")
    assert file == cached("a0s_grw") == cache_folder() / "a0s_grw.pt"
    library("huggingface_hub")
    assert fetch_grw("a0s_grw") == file


def test_hub_that_refuses_says_how_to_bring_the_file(server, library):
    def refuse(*_, **__):
        raise ValueError("401 Client Error")

    library("huggingface_hub", hf_hub_download=refuse)
    message = f"401 Client Error.* put it at {cache_folder()}/a1s_grw.pt, or give its"
    with pytest.raises(OSError, match=message):
        fetch_grw("a1s_grw")
    assert _left() == ["a1s_grw.lock"]


def test_hub_without_its_library_says_what_to_install(server, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(OSError, match=r"run pip install 'grw_tf\[hub\]' first"):
        fetch_grw("a0s_grw")


def test_timeout_is_told(server, kaggle_refuses, monkeypatch):
    monkeypatch.setattr(sources, "_TIMEOUT_SECONDS", 0.2)
    server.pause = 1.0
    with pytest.raises(OSError, match="timed out"):
        download.fetch(server.checkpoint)
