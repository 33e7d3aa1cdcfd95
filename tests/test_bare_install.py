"""Tests that the bare install, LiteRT and numpy alone, runs an exported file."""

import pathlib
import sys

import pytest
from exported_streams import write_stream
from toy_heads import HEADS

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


_ROOT = pathlib.Path(__file__).resolve().parents[1]
_PROGRAM = """
import runpy, sys
sys.path.append(sys.argv.pop(1))
sys.modules.update(dict.fromkeys(sys.argv.pop(1).split(",")))
runpy.run_module("export.run_stream", run_name="__main__", alter_sys=True)
"""
_FLAGS = ("--model=model.tflite", "--source=video.mp4")


@pytest.mark.parametrize("missing", ["absl", "av", "cv2", "absl,av,cv2"])
def test_missing_packages_are_told_in_one_line(run_code, missing):
    done = run_code(_PROGRAM, _ROOT, missing, *_FLAGS)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    first = missing.split(",")[0]
    assert line.startswith(f"The package {first} is not installed")
    assert "run pip install '.[video]'" in line
    assert "run pip install 'grw_tf[video]'" in line


@pytest.mark.parametrize("module", ["export.run_stream", "grw_tf.streaming"])
def test_missing_litert_is_told_in_one_line(run_code, module):
    code = _PROGRAM.replace("export.run_stream", module)
    done = run_code(code, _ROOT, "ai_edge_litert", *_FLAGS)
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert line.startswith("ImportError: LiteRT cannot be imported here, in 64-bit")
    assert "It needs a 64-bit system, on a Raspberry Pi too" in line
    if module == "export.run_stream":
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_bare_install_says_what_reading_videos_needs(run_bare):
    done = run_bare(_PROGRAM, _ROOT, "none", *_FLAGS)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "The package absl is not installed" in line


@pytest.mark.slow
def test_bare_install_runs_an_exported_file(nano, run_bare, tmp_path):
    path = tmp_path / "model.tflite"
    write_stream(path, nano(head=HEADS["transformer"]))
    done = run_bare(_CODE, path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["", "compiled 5"], sys.version
