"""Tests that the network rewritten for devices gives the streaming model's numbers."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from everyday import slow_but
from streamed_logits import (
    assert_logits_close,
    initial_states,
    model_logits,
    network_logits,
)
from toy_heads import HEADS

from grw_tf.export.conversion import convert
from grw_tf.export.movinet_features import FRAME_COUNT
from grw_tf.export.quantization.rollouts import Rollout
from grw_tf.export.streaming_network import StreamingNetwork
from grw_tf.models import build_model
from grw_tf.models.presets import official_config

BACKBONES = {
    "2plus1d": {},
    "3d": {"conv_type": "3d", "se_type": "3d"},
    "3d_2plus1d": {"conv_type": "3d_2plus1d"},
    "space only": {"se_type": "2d"},
    "no squeeze excitation": {"se_type": "none"},
    "positions": {"use_positional_encoding": True},
    "gate of 2021 for today's": {"gating_activation": "hard_sigmoid_relu6"},
    "swish": {"activation": "swish", "gating_activation": "sigmoid"},
    "relu": {"activation": "relu"},
    "relu6 by name": {"activation": "relu6"},
}
FRAMES = 13
# Each takes seconds, and the first ones differ most.
SOME_BACKBONES = slow_but(["positions"], BACKBONES)
STEPS = [(head, frames) for head in HEADS for frames in (1, 2, 3)]
SOME_STEPS = slow_but([("causal_transformer", 1), ("mean", 3)], STEPS)


@pytest.fixture(scope="module")
def video():
    return np.random.default_rng(1).integers(0, 256, (FRAMES, 32, 32, 3), np.uint8)


def _assert_same(actual, expected):
    # Random weights amplify roundings; real ones are held to 1e-5 elsewhere.
    assert_logits_close(actual, expected, 5e-5)


@pytest.mark.parametrize("backbone", SOME_BACKBONES)
def test_every_backbone_gives_the_models_logits(nano, video, backbone):
    model = nano(backbone=BACKBONES[backbone])
    network = StreamingNetwork(model)
    _assert_same(network_logits(network, video)[0], model_logits(model, video))


@pytest.mark.parametrize("head, frames_per_step", SOME_STEPS)
def test_every_head_gives_the_models_logits(nano, video, head, frames_per_step):
    model = nano(head=HEADS[head])
    network = StreamingNetwork(model, frames_per_step)
    whole = video[: FRAMES // frames_per_step * frames_per_step]
    expected = model_logits(model, whole)[frames_per_step - 1 :: frames_per_step]
    _assert_same(network_logits(network, whole)[0], expected)


@pytest.mark.parametrize(
    "backbone", [pytest.param("3d", marks=pytest.mark.slow), "positions"]
)
def test_chunks_longer_than_a_kernel_give_the_models_logits(nano, video, backbone):
    model = nano(backbone=BACKBONES[backbone])
    logits, _ = network_logits(StreamingNetwork(model, 6), video[:12])
    _assert_same(logits, model_logits(model, video[:12])[5::6])


def test_frames_may_be_fractions(nano, video):
    model = nano()
    network = StreamingNetwork(model, image_dtype="float32")
    _assert_same(network_logits(network, video)[0], model_logits(model, video))


@pytest.mark.parametrize("head", ["official", "mean"])
def test_states_stay_bounded(nano, video, head):
    network = StreamingNetwork(nano(head=HEADS[head]))
    _, early = network_logits(network, video)
    _, late = network_logits(network, np.concatenate([video] * 8))
    for name, state in late.items():
        if not name.endswith("frame_count"):
            assert np.abs(state).max() < 2 * np.abs(early[name]).max(), name


def test_counting_stops_where_float32_no_longer_counts(nano):
    network = StreamingNetwork(nano())
    states = initial_states(network) | {FRAME_COUNT: tf.constant([2**24 - 1])}
    for _ in range(2):
        image = tf.zeros(network.image_spec.shape, tf.uint8)
        logits, states = network.step(image, states)
        assert states[FRAME_COUNT] == [2**24]
        assert np.isfinite(logits).all()


def test_base_model_is_refused(nano):
    base = {"causal": False, "conv_type": "3d", "se_type": "3d"}
    with pytest.raises(ValueError, match="cannot be streamed: use a stream model"):
        StreamingNetwork(nano(backbone=base))


@pytest.mark.slow
def test_model_of_mixed_precision_is_refused(nano):
    tf_keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = nano(fresh=True)
    finally:
        tf_keras.mixed_precision.set_global_policy("float32")
    with pytest.raises(ValueError, match="computes in bfloat16"):
        StreamingNetwork(model)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"frames_per_step": 0}, "frames_per_step is 0"),
        ({"image_dtype": "int8"}, "Unknown image_dtype 'int8'; known: uint8, float32"),
    ],
)
def test_unknown_arguments_are_refused(nano, arguments, message):
    with pytest.raises(ValueError, match=message):
        StreamingNetwork(nano(), **arguments)


@pytest.mark.slow
@pytest.mark.parametrize("model_id", ["a0", "a1", "a2", "a3", "a4", "a5", "t0"])
def test_every_model_converts_and_gives_its_numbers(model_id):
    config = official_config(model_id, causal=True)
    model = build_model(dataclasses.replace(config, num_classes=5, frames=4, size=64))
    # Started at zero, the residuals would hide the blocks.
    for weight in model.weights:
        if weight.shape.rank == 0:
            weight.assign(0.3)
    rng = np.random.default_rng(1)
    video = rng.integers(0, 256, (4, 64, 64, 3), np.uint8)
    expected = model_logits(model, video)
    network = StreamingNetwork(model)
    _assert_same(network_logits(network, video)[0], expected)
    _assert_same(Rollout(convert(network)).logits(video), expected)
