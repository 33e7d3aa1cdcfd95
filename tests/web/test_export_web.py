"""Tests of the program that writes and serves the site."""

import signal
import socket
import subprocess
import sys
import urllib.request

import pytest
from exported_files import VECTORS

STEP = VECTORS / "step.tflite"


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--model=nothing.tflite"], "No such file or directory: 'nothing.tflite'"),
        ([f"--model={VECTORS / 'counter.tflite'}"], "states in int8"),
        ([f"--model={STEP}", "--runtime=nothing"], "nothing has no @litertjs/core"),
    ],
)
def test_bad_input_is_told_in_a_line(run_bare_program, tmp_path, flags, message):
    site = tmp_path / "site"
    done = run_bare_program("export.export_web", f"--output_dir={site}", *flags)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert message in line
    assert not site.exists()


def test_folder_of_something_else_is_told_in_a_line(run_bare_program, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    flags = f"--output_dir={tmp_path}", f"--model={STEP}"
    done = run_bare_program("export.export_web", *flags)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "exists and is not an earlier export" in line


def test_port_that_cannot_be_had_is_told_before_anything_is_written(
    run_bare_program, tmp_path
):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        flags = f"--model={STEP}", "--serve", f"--port={port}"
        done = run_bare_program(
            "export.export_web", f"--output_dir={tmp_path / 'site'}", *flags
        )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert f"Port {port} cannot be served at (it is in use)" in line
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["INT", "TERM"])
def test_site_is_written_and_served_until_a_signal(runtime, tmp_path, number):
    command = [sys.executable, "-m", "export.export_web", f"--model={STEP}"]
    flags = f"--output_dir={tmp_path / 'site'}", f"--runtime={runtime}"
    process = subprocess.Popen(
        [*command, *flags, "--serve", "--port=0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # As a shell starts background jobs.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    assert process.stdout.readline() == f"Written to {tmp_path / 'site'}.\n"
    line = process.stdout.readline()
    url = line.removeprefix("Serving at ").removesuffix(" until Ctrl-C.\n")
    with urllib.request.urlopen(f"{url}step.tflite") as response:
        assert response.read() == STEP.read_bytes()
    process.send_signal(number)
    _, told = process.communicate(timeout=120)
    assert (process.returncode, told) == (0, "")
