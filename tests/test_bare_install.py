"""Tests that the bare install, LiteRT and numpy alone, runs an exported file."""

import sys

import pytest
from exported_streams import CLASSES
from toy_heads import HEADS

from grw_tf.export.tflite import write_streaming_tflite

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
def test_bare_install_runs_an_exported_file(nano, run_bare, tmp_path):
    path = tmp_path / "model.tflite"
    write_streaming_tflite(path, nano(head=HEADS["transformer"]), CLASSES)
    done = run_bare(_CODE, path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["", "compiled 5"], sys.version
