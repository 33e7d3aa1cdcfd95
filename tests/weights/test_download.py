"""Tests of downloads from a server that does all that servers do."""

import base64
import contextlib
import dataclasses
import hashlib
import http.server
import io
import pathlib
import random
import re
import signal
import subprocess
import sys
import tarfile
import threading
import time

import pytest

from grw_tf.weights import download, official
from grw_tf.weights.download import cache_folder, fetch

NAME = "movinet_a0_stream"
NOISE = random.Random(0).randbytes(300_000)

# `official` itself would cost each process the start of TensorFlow.
PROCESS = """
import sys, types
from grw_tf.weights.download import fetch
print(fetch(types.SimpleNamespace(name=sys.argv[1], url=sys.argv[2])))
"""


def _archive():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        member = tarfile.TarInfo("noise")
        member.size = len(NOISE)
        tar.addfile(member, io.BytesIO(NOISE))
    return file.getvalue()


ARCHIVE = _archive()
MD5 = base64.b64encode(hashlib.md5(ARCHIVE).digest()).decode()
OTHER_MD5 = base64.b64encode(bytes(16)).decode()


@dataclasses.dataclass
class _Answer:
    """How the server answers one request."""

    status: int = 200  # Any other is an error without a body.
    ranges: bool = True  # Whether Range is honored.
    shift: int = 0  # How far from the requested byte a range starts.
    stop: int | None = None  # Byte of the archive at which the connection ends.
    length: bool = True  # Whether Content-Length is sent.
    pause: float = 0.0  # Seconds between two pieces.
    hashes: tuple = ()  # Values of x-goog-hash headers.
    content_range: str | None = None  # Content-Range of an error.
    data: bytes = ARCHIVE


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        asked = self.headers["Range"]
        self.server.asked.append(asked)
        answers = self.server.answers
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        # Google's storage would unpack the archive for this client.
        if "gzip" not in self.headers["Accept-Encoding"]:
            answer = _Answer(status=406)
        if answer.status != 200:
            self.send_response(answer.status)
            if answer.content_range:
                self.send_header("Content-Range", answer.content_range)
            self.end_headers()
            return
        start, size = 0, len(answer.data)
        if asked and answer.ranges:
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) + answer.shift
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        else:
            self.send_response(200)
        if answer.length:
            self.send_header("Content-Length", str(size - start))
        for value in answer.hashes:
            self.send_header("x-goog-hash", value)
        self.end_headers()
        # Clients that were killed or have given up are no error here.
        with contextlib.suppress(ConnectionError):
            for begin in range(start, answer.stop or size, 20_000):
                end = min(begin + 20_000, answer.stop or size)
                self.wfile.write(answer.data[begin:end])
                time.sleep(answer.pause)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server; `answers` are its next ones, the last for good, `asked` the ranges."""
    monkeypatch.setenv("GRW_TF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(download, "_PAUSE_SECONDS", 0.01)
    server = http.server.ThreadingHTTPServer(("localhost", 0), _Handler)
    server.answers, server.asked = [_Answer()], []
    server.url = f"http://localhost:{server.server_port}/{NAME}.tar.gz"
    server.checkpoint = dataclasses.replace(official.OFFICIAL[NAME], url=server.url)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def _holds_all(folder):
    assert folder == cache_folder() / NAME
    assert (folder / "noise").read_bytes() == NOISE
    names = sorted(path.name for path in folder.parent.iterdir())
    assert names == [NAME, f"{NAME}.lock"]


def _part():
    return cache_folder() / f"{NAME}.tar.gz.part"


def _start_process(server):
    return subprocess.Popen(
        [sys.executable, "-c", PROCESS, NAME, server.url],
        cwd=pathlib.Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


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


def test_download_is_unpacked_and_shows_its_progress(server, capfd):
    _holds_all(fetch(server.checkpoint))
    assert server.asked == [None]
    assert f"{NAME}: 100%" in capfd.readouterr().err


def test_what_is_in_the_cache_needs_no_network(server):
    (cache_folder() / NAME).mkdir(parents=True)
    assert fetch(server.checkpoint) == cache_folder() / NAME
    assert server.asked == []


def test_archive_put_into_the_cache_is_taken_and_kept(server):
    cache_folder().mkdir()
    archive = cache_folder() / f"{NAME}.tar.gz"
    archive.write_bytes(ARCHIVE)
    _part().write_bytes(b"of a download given up")
    assert (fetch(server.checkpoint) / "noise").read_bytes() == NOISE
    assert server.asked == []
    assert archive.exists() and not _part().exists()


def test_cut_download_goes_on_by_range(server):
    server.answers = [_Answer(stop=100_000), _Answer(stop=200_000), _Answer()]
    _holds_all(fetch(server.checkpoint))
    assert server.asked == [None, "bytes=100000-", "bytes=200000-"]


def test_download_cut_again_and_again_goes_on_in_the_next_run(server):
    server.answers = [_Answer(stop=100_000)]
    message = (
        rf"{NAME}.tar.gz cannot be downloaded: the connection ended after 100000 of "
        rf"{len(ARCHIVE)} bytes. 100000 bytes are kept: run again to resume."
    )
    with pytest.raises(OSError, match=message):
        fetch(server.checkpoint)
    assert server.asked == [None] + 3 * ["bytes=100000-"]
    server.answers, server.asked[:] = [_Answer()], []
    _holds_all(fetch(server.checkpoint))
    assert server.asked == ["bytes=100000-"]


@pytest.mark.parametrize(
    "answer, asked",
    [
        (_Answer(ranges=False), ["bytes=15-"]),
        (_Answer(status=416), ["bytes=15-", None]),
        (_Answer(status=416, content_range="bytes */99"), ["bytes=15-", None]),
        (_Answer(shift=-7), ["bytes=15-", None]),
    ],
    ids=["ignored", "416", "416_other_length", "other_range"],
)
def test_download_starts_anew_where_the_server_cannot_go_on(server, answer, asked):
    cache_folder().mkdir()
    _part().write_bytes(b"of another file")
    server.answers = [answer, _Answer()]
    _holds_all(fetch(server.checkpoint))
    assert server.asked == asked


def test_part_that_is_whole_is_not_downloaded_again(server):
    cache_folder().mkdir()
    _part().write_bytes(ARCHIVE)
    server.answers = [_Answer(status=416, content_range=f"bytes */{len(ARCHIVE)}")]
    _holds_all(fetch(server.checkpoint))
    assert len(server.asked) == 1


def test_silent_server_is_asked_again(server, monkeypatch):
    monkeypatch.setattr(download, "_TIMEOUT_SECONDS", 0.2)
    server.answers = [_Answer(stop=40_000, pause=0.5), _Answer()]
    _holds_all(fetch(server.checkpoint))
    assert server.asked == [None, "bytes=20000-"]


def test_busy_server_is_asked_again(server):
    server.answers = [_Answer(status=503), _Answer()]
    _holds_all(fetch(server.checkpoint))


@pytest.mark.parametrize("status, reason", [(403, "Forbidden"), (404, "Not Found")])
def test_refusal_says_how_to_hand_over_a_file(server, status, reason):
    server.answers = [_Answer(status=status)]
    with pytest.raises(OSError) as error:
        fetch(server.checkpoint)
    message = str(error.value)
    assert f"{server.url} cannot be downloaded" in message
    assert f"{status}: {reason}" in message
    assert f"give its path, /path/{NAME}.tar.gz, in place of its name" in message
    assert f"put it into {cache_folder()} as {NAME}.tar.gz" in message
    assert len(message.splitlines()) == len(server.asked) == 1


def test_no_network_says_how_to_hand_over_a_file(server):
    # Nothing listens at port 1.
    checkpoint = dataclasses.replace(server.checkpoint, url="http://localhost:1/x")
    with pytest.raises(OSError, match="refused.* give its path, .*tar.gz"):
        fetch(checkpoint)


@pytest.mark.parametrize(
    "hashes",
    [(f"md5={MD5}",), (f"crc32c=AAAAAA==,md5={MD5}",), ("crc32c=A=", f"md5={MD5}")],
    ids=["alone", "listed", "repeated"],
)
def test_right_checksum_is_taken(server, hashes):
    server.answers = [_Answer(stop=100_000, hashes=hashes), _Answer(hashes=hashes)]
    _holds_all(fetch(server.checkpoint))


@pytest.mark.parametrize(
    "hashes",
    [(f"crc32c=A=, md5={OTHER_MD5}",), ("crc32c=A=", f"md5={OTHER_MD5}")],
    ids=["listed", "repeated"],
)
def test_wrong_checksum_deletes_the_download(server, hashes):
    server.answers = [_Answer(hashes=hashes)]
    with pytest.raises(OSError, match="damaged and was deleted: its MD5 is .* Run aga"):
        fetch(server.checkpoint)
    assert [path.name for path in cache_folder().iterdir()] == [f"{NAME}.lock"]


@pytest.mark.parametrize(
    "answer",
    [_Answer(data=b"<html>Sign in</html>"), _Answer(stop=100_000, length=False)],
    ids=["sign_in_page", "cut_of_unknown_length"],
)
def test_unsound_archive_is_deleted(server, answer):
    server.answers = [answer]
    with pytest.raises(ValueError, match=f"{server.url} sent no sound archive: "):
        fetch(server.checkpoint)
    assert [path.name for path in cache_folder().iterdir()] == [f"{NAME}.lock"]


def test_killed_download_goes_on(server):
    server.answers = [_Answer(pause=0.1), _Answer()]
    process = _start_process(server)
    while not _part().exists() or _part().stat().st_size < 40_000:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    size = _part().stat().st_size
    _holds_all(fetch(server.checkpoint))
    assert 40_000 <= size < len(ARCHIVE)
    assert server.asked == [None, f"bytes={size}-"]


def test_two_processes_download_once(server):
    server.answers = [_Answer(pause=0.1)]
    processes = [_start_process(server) for _ in range(2)]
    printed = [process.communicate() for process in processes]
    assert [output.strip() for output, _ in printed] == 2 * [str(cache_folder() / NAME)]
    assert sum("Waiting for another process" in errors for _, errors in printed) == 1
    assert server.asked == [None]
    _holds_all(cache_folder() / NAME)
