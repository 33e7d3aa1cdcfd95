"""Tests that the bare install, LiteRT and numpy alone, runs an exported file."""

import os
import pathlib
import shutil
import subprocess
import sys
import venv

import pytest
from exported_streams import CLASSES
from toy_heads import HEADS

from grw_tf.export.tflite import write_streaming_tflite

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]

_CODE = """
import importlib.metadata, sys
import numpy as np
from grw_tf.streaming import StreamSession
with StreamSession(sys.argv[1]) as session:
    for index in range(10):
        session.push(np.full((48, 64, 3), index, np.uint8), index / 10)
    session.flush()
    assert len(session.top()) == 3
names = {dist.name.lower() for dist in importlib.metadata.distributions()}
print(*sorted(names & {"tensorflow", "tf-keras", "opencv-python-headless", "av"}))
print(session.runner, session.steps)
"""


@pytest.mark.slow
def test_bare_install_runs_an_exported_file(nano, tmp_path):
    path = tmp_path / "model.tflite"
    write_streaming_tflite(path, nano(head=HEADS["transformer"]), CLASSES)
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--quiet"]
    # A copy, for building leaves its traces.
    source = tmp_path / "source"
    shutil.copytree(REPOSITORY / "grw_tf", source / "grw_tf")
    for name in ("setup.py", "pyproject.toml", "README.md"):
        shutil.copy(REPOSITORY / name, source)
    installed = subprocess.run([*pip, source], capture_output=True, text=True)
    assert installed.returncode == 0, installed.stderr
    done = subprocess.run(
        [python, "-c", _CODE, path],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["", "compiled 5"], sys.version
