"""Tests of MobileNetV3 with temporal shifts."""

import numpy as np
import pytest
import tensorflow as tf
from random_weights import randomize

from grw_tf.models import BackboneConfig, StreamingModel, build_model, preset
from grw_tf.models.backbone import endpoints, residual_blocks
from grw_tf.models.batch_normalization import batch_normalizations
from grw_tf.models.mobilenet_backbone import MobileNetV3
from grw_tf.models.tsm_backbone import ShiftedMobileNetV3

CLIP = (2, 5, 32, 32, 3)


@pytest.fixture(scope="module")
def clip():
    return np.random.default_rng(0).random(CLIP, np.float32)


@pytest.fixture(scope="module")
def backbone(clip):
    network = ShiftedMobileNetV3(BackboneConfig.of_family("tsm_mobilenet_v3_small"), 32)
    _enliven(network, clip)
    return network


def _enliven(network, clip):
    """Gives a network random weights, and statistics of the clip."""
    randomize(network)
    for norm in batch_normalizations(network):
        norm.momentum = 0.0
    network(clip, training=True)


@pytest.fixture(scope="module")
def plain(backbone):
    """The same weights without shifts."""
    network = MobileNetV3(BackboneConfig.of_family("mobilenet_v3_small"), 32)
    for layer in network.network.layers:
        if layer.weights:
            other = backbone.network.get_layer(layer.name)
            layer.set_weights(other.get_weights())
    return network


@pytest.mark.slow
def test_an_eighth_of_the_channels_of_each_block_with_a_shortcut_moves(backbone):
    states = backbone.state_specs(2)
    names = [f"block{block}" for block in (2, 4, 5, 7, 9, 10)]
    assert list(states) == [f"state_{name}_shift" for name in names]
    blocks = {
        block.name: block
        for block in residual_blocks(
            backbone, BackboneConfig.of_family("tsm_mobilenet_v3_small")
        )
    }
    for name in names:
        (site,) = blocks[name].places["expansion_conv"]
        assert blocks[name].branch_owner is not None
        assert states[f"state_{name}_shift"].shape[-1] == site.channels // 8
    assert sum(block.branch_owner is not None for block in blocks.values()) == 6


@pytest.mark.slow
def test_network_without_motion_is_the_plain_one_after_the_first_frames(
    backbone, plain, clip
):
    # Each of the six shifts looks one frame back.
    still = np.repeat(clip[:1, :1], 8, axis=1)
    shifted, expected = endpoints(backbone, still), endpoints(plain, still)
    assert list(shifted) == list(expected)
    for name, features in shifted.items():
        error = np.abs(features - expected[name])
        scale = np.abs(expected[name]).max()
        assert error[:, 6:].max() < 1e-4 * scale, name
    assert np.abs(shifted["head"] - expected["head"])[:, 0].max() > 1e-3


def test_frames_see_earlier_ones_alone(backbone, clip):
    changed = clip.copy()
    changed[:, 3] = 0
    before = endpoints(backbone, clip)["head"].numpy()
    after = endpoints(backbone, changed)["head"].numpy()
    difference = np.abs(before - after).max((0, 2, 3, 4))
    assert [bool(frame) for frame in difference > 1e-6] == [False] * 3 + [True] * 2


def test_stream_in_parts_gives_the_clips_features(backbone, clip):
    whole = endpoints(backbone, clip)
    states = {n: tf.zeros(s.shape) for n, s in backbone.state_specs(2).items()}
    parts = []
    for start, stop in ((0, 1), (1, 4), (4, 5)):
        found, states = backbone.step(clip[:, start:stop], states)
        parts.append(found["head"])
    np.testing.assert_allclose(tf.concat(parts, 1), whole["head"], rtol=1e-4, atol=1e-5)


def test_streaming_model_ends_with_the_clips_logits(clip):
    model = build_model(
        preset("tsm_mobilenet_v3_small", size=32, frames=5, num_classes=3)
    )
    _enliven(model.backbone, clip)
    stream = StreamingModel(model)
    states = stream.initial_states(2)
    for frame in range(5):
        logits, states = stream.step(clip[:, frame : frame + 1], states)
    np.testing.assert_allclose(logits, model(clip), rtol=1e-4, atol=1e-5)
