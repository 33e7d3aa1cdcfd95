"""Tests that the gate lets no file through that is not its model."""

import numpy as np
import pytest
import tensorflow as tf
from everyday import slow_but
from exported_files import CLASSES
from toy_heads import HEADS

from grw_tf.export.bundle import bundle
from grw_tf.export.conversion import convert
from grw_tf.export.manifest import make_manifest
from grw_tf.export.parity import check_parity
from grw_tf.export.streaming_network import StreamingNetwork
from grw_tf.export.streams import drawn_streams
from grw_tf.streaming import StreamSession


@pytest.fixture(scope="module")
def model(nano):
    return nano()


@pytest.fixture(scope="module")
def streams(model):
    return drawn_streams(model.config, 2, frames=24)


def _check(network, folder, streams, quantization="none", manifest=(), model=None):
    """Writes a network's file and returns how it compares."""
    path = folder / "model.tflite"
    content = convert(network)
    manifest = make_manifest(network, content) | dict(manifest)
    path.write_bytes(bundle(content, CLASSES, manifest))
    return check_parity(path, model or network.model, streams, "drawn", quantization)


def _changed(model, change):
    """Returns a network that changes what a step returns."""
    network = StreamingNetwork(model)
    step = network.step
    network.step = lambda image, states: change(*step(image, states))
    return network


@pytest.mark.parametrize("head", slow_but(["transformer"], HEADS))
def test_right_file_passes(nano, tmp_path, streams, head):
    parity = _check(StreamingNetwork(nano(head=HEADS[head])), tmp_path, streams)
    assert parity.passed and not parity.failures
    assert (parity.streams, parity.frames, parity.clips) == (2, 24, "drawn")
    assert 0 < parity.largest_difference < 1e-4
    assert 0 <= parity.clip_difference < 1e-4
    assert parity.regret.mean_regret < 1e-4
    assert parity.reset_difference == 0
    assert parity.milliseconds > 0


@pytest.mark.slow
def test_steps_of_several_frames_are_compared_at_their_ends(tmp_path, streams, model):
    parity = _check(StreamingNetwork(model, frames_per_step=5), tmp_path, streams)
    assert parity.passed
    assert parity.frames == 20


@pytest.mark.slow
def test_wrong_gate_is_caught(nano, tmp_path, streams, model):
    backbone = {"gating_activation": "hard_sigmoid_relu6"}
    other = nano(scratch=True, backbone=backbone)
    other.set_weights(model.get_weights())
    parity = _check(StreamingNetwork(other), tmp_path, streams, model=model)
    assert not parity.passed
    assert "the file differs from the model by" in parity.failures[0]


@pytest.mark.slow
def test_wrong_scale_of_the_input_is_caught(tmp_path, streams, model):
    class Unscaled(StreamingNetwork):
        def step(self, image, states):
            return super().step(tf.cast(image, tf.float32) / 2, states)

    assert not _check(Unscaled(model), tmp_path, streams).passed


@pytest.mark.slow
def test_wrong_crop_is_caught(tmp_path, streams, model):
    network = StreamingNetwork(model)
    right = make_manifest(network, convert(network))["input"]
    wrong = {"input": right | {"resize": 32}}
    parity = _check(network, tmp_path, streams, manifest=wrong)
    assert not parity.passed
    assert "prepares frames differently" in parity.failures[0]


def test_crossed_states_are_caught(tmp_path, streams, model):
    one, other = (f"state_block1_layer{layer}_pool_mean" for layer in (0, 1))
    crossed = _changed(
        model, lambda logits, new: (logits, new | {one: new[other], other: new[one]})
    )
    assert not _check(crossed, tmp_path, streams).passed


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, passes",
    [
        # A mean forgets what it started from; a sum of frames does not.
        ("state_block1_layer0_pool_mean", True),
        ("state_block0_layer0_stream_sum1", False),
    ],
)
def test_wrong_start_is_caught(tmp_path, streams, model, name, passes):
    network = StreamingNetwork(model)
    states = make_manifest(network, convert(network))["states"]
    for state in states:
        if state["name"] == name:
            state["initial_value"] = 1
    parity = _check(network, tmp_path, streams, manifest={"states": states})
    assert parity.passed == passes


@pytest.mark.slow
def test_state_that_survives_a_reset_is_caught(tmp_path, streams, model, monkeypatch):
    monkeypatch.setattr(StreamSession, "reset", lambda session: None)
    parity = _check(StreamingNetwork(model), tmp_path, streams)
    assert "after a reset the file gives other logits" in " ".join(parity.failures)


@pytest.mark.slow
def test_logits_that_are_no_numbers_are_caught(tmp_path, streams, model):
    broken = _changed(model, lambda logits, new: (logits * tf.constant(np.nan), new))
    assert not _check(broken, tmp_path, streams).passed


@pytest.mark.slow
def test_model_that_says_nothing_cannot_be_compared(nano, tmp_path, streams):
    silent = nano(scratch=True)
    for weight in silent.head.weights:
        weight.assign(tf.zeros_like(weight))
    with pytest.raises(ValueError, match="largest logit is 0.0: its weights"):
        _check(StreamingNetwork(silent), tmp_path, streams)


def test_quantized_file_is_held_to_what_its_choices_cost(tmp_path, streams, model):
    wrong = _changed(model, lambda logits, new: (-logits, new))
    parity = _check(wrong, tmp_path, streams, quantization="int8")
    failures = " ".join(parity.failures)
    assert "the file's choices of class cost" in failures
    assert parity.regret.agreement == 0
    assert "before it was quantized the file differed" in failures
    right = _check(StreamingNetwork(model), tmp_path, streams, quantization="int8")
    assert right.passed
