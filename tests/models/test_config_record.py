"""Tests of the config in a model's checkpoints."""

import numpy as np
import pytest
import tensorflow as tf

from grw_tf.weights.restore import restore
from grw_tf.weights.saved_variables import SavedVariables

KERAS = {"gating_activation": "hard_sigmoid_keras"}
RELU6 = {"gating_activation": "hard_sigmoid_relu6"}


@pytest.fixture(scope="module")
def checkpoint(nano, tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint") / "model"
    return tf.train.Checkpoint(model=nano(backbone=KERAS)).save(path)


def test_config_is_recorded(nano, checkpoint):
    assert SavedVariables(checkpoint).config == nano(backbone=KERAS).config


def test_checkpoint_without_a_config_has_none(nano, tmp_path):
    path = tf.train.Checkpoint(backbone=nano().backbone).save(tmp_path / "other")
    assert SavedVariables(path).config is None


def test_another_gate_is_refused(nano, checkpoint):
    reader = tf.train.Checkpoint(model=nano(scratch=True, backbone=RELU6))
    with pytest.raises(ValueError, match="gating_activation=hard_sigmoid_keras, "):
        reader.restore(checkpoint)


@pytest.mark.slow
def test_another_frame_fit_is_refused(nano, checkpoint):
    reader = tf.train.Checkpoint(model=nano(frame_fit="square"))
    with pytest.raises(
        ValueError,
        match=r"with frame_fit=short_side, .* square: build it with short_side \(task",
    ):
        reader.restore(checkpoint)


def test_starting_from_another_frame_fit_is_told(nano, checkpoint, caplog):
    same = restore(nano(backbone=KERAS), checkpoint)
    assert "frame_fit" not in same.message
    other = restore(nano(frame_fit="square"), checkpoint)
    assert "trained with frame_fit short_side" in other.message
    assert "prepares frames with square" in other.message


def test_gates_differ_in_a_built_model(nano, clip):
    keras, relu6 = nano(backbone=KERAS), nano(scratch=True, backbone=RELU6)
    relu6.set_weights(keras.get_weights())
    logits = keras(clip).numpy()
    assert np.abs(relu6(clip) - logits).max() > 1e-3 * np.abs(logits).max()
