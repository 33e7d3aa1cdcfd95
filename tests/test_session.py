"""Tests of running an exported stream."""

import subprocess
import sys

import numpy as np
import pytest

from grw_tf.export.tflite import write_streaming_tflite
from grw_tf.models import HeadConfig
from grw_tf.streaming import StreamSession

CLASSES = ["a", "b", "c", "d", "e"]


@pytest.fixture(scope="module")
def path(nano, tmp_path_factory):
    model = nano(head=HeadConfig(type="transformer", num_heads=2, mlp_dim=32))
    path = tmp_path_factory.mktemp("session") / "model.tflite"
    write_streaming_tflite(path, model, CLASSES)
    return path


@pytest.fixture
def frames():
    return np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)


def test_reset_forgets_all_frames(path, frames):
    session = StreamSession(path)
    session.push(frames[0])
    first = session.logits()
    session.push(frames[1])
    session.reset()
    session.push(frames[0])
    np.testing.assert_array_equal(session.logits(), first)


def test_top_names_the_likeliest_classes(path, frames):
    session = StreamSession(path)
    for frame in frames:
        session.push(frame)
    names, probabilities = zip(*session.top(5), strict=True)
    assert sorted(names) == CLASSES
    assert list(probabilities) == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1)
    assert names[0] == CLASSES[session.logits().argmax()]
    assert session.top(2) == list(zip(names, probabilities, strict=True))[:2]


def test_asking_before_the_first_frame_is_an_error(path):
    with pytest.raises(ValueError, match="Push a frame first"):
        StreamSession(path).top()


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((32, 32, 3), np.float32),
        np.zeros((32, 16, 3), np.uint8),
        np.zeros((1, 32, 32, 3), np.uint8),
    ],
    ids=["float", "size", "rank"],
)
def test_unfit_frame_is_refused(path, frame):
    with pytest.raises(ValueError, match=r"must be uint8 \(32, 32, 3\)"):
        StreamSession(path).push(frame)


def test_foreign_file_is_refused(tmp_path):
    foreign = tmp_path / "foreign.tflite"
    foreign.write_bytes(b"TFL3" * 100)
    with pytest.raises(ValueError, match="not an export of grw_tf"):
        StreamSession(foreign)


def test_session_needs_no_tensorflow():
    code = "import grw_tf.streaming, sys; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
