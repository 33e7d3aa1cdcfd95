"""Tests of frame-by-frame MobileNetV3 against Keras Applications."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from random_weights import randomize
from toy_heads import HEADS

from grw_tf.cost_table.multiply_adds import multiply_adds
from grw_tf.models import BackboneConfig, StreamingModel, build_model, preset
from grw_tf.models.backbone import endpoint_channels, endpoints
from grw_tf.models.mobilenet_backbone import MobileNetV3

BLOCKS = 11


@pytest.fixture(scope="module")
def backbone():
    network = MobileNetV3(BackboneConfig.of_family("mobilenet_v3_small"), 32)
    randomize(network)
    return network


@pytest.fixture(scope="module")
def frames():
    return np.random.default_rng(0).random((6, 32, 32, 3), "float32")


@pytest.fixture(scope="module")
def features(backbone, frames):
    """Endpoints of two clips of three frames."""
    return endpoints(backbone, frames.reshape((2, 3, 32, 32, 3)))


def _official_endpoints(backbone):
    """Builds the network of Keras Applications with the same weights."""
    whole = tf_keras.applications.MobileNetV3Small(
        input_shape=(32, 32, 3), include_top=False, weights=None
    )
    for layer in backbone.network.layers:
        if layer.weights:
            whole.get_layer(layer.name).set_weights(layer.get_weights())
    names = {layer.name for layer in whole.layers}
    found = {"stem": whole.get_layer("expanded_conv/depthwise/pad").input}
    for block in range(BLOCKS):
        prefix = f"expanded_conv_{block}/" if block else "expanded_conv/"
        last = "Add" if f"{prefix}Add" in names else "project/BatchNorm"
        found[f"block{block}"] = whole.get_layer(prefix + last).output
    found["head"] = whole.output
    return tf_keras.Model(whole.input, found)


@pytest.mark.slow
def test_endpoints_are_those_of_keras_applications(backbone, frames, features):
    wanted = _official_endpoints(backbone)(255 * frames)
    wanted["head"] = tf.reduce_mean(wanted["head"], (1, 2), keepdims=True)
    assert list(features) == list(wanted)
    for name, of_frames in wanted.items():
        found = tf.reshape(features[name], of_frames.shape)
        error = np.abs(found - of_frames).max() / np.abs(of_frames).max()
        assert error < 1e-4, name


def test_frames_are_seen_one_by_one(backbone, frames, features):
    order = np.random.default_rng(1).permutation(6)
    shuffled = endpoints(backbone, frames[order].reshape((3, 2, 32, 32, 3)))
    for name, found in shuffled.items():
        shape = (6, *features[name].shape[2:])
        wanted = tf.gather(tf.reshape(features[name], shape), order)
        np.testing.assert_allclose(
            tf.reshape(found, shape), wanted, rtol=1e-3, atol=1e-4, err_msg=name
        )
    assert np.ptp(features["head"], axis=1).max() > 1e-3


@pytest.mark.slow
def test_stream_with_a_mean_head_gives_the_clips_logits(nano, clip):
    backbone = vars(BackboneConfig.of_family("mobilenet_v3_small"))
    model = nano(backbone=backbone, head=HEADS["mean"])
    stream = StreamingModel(model)
    states = stream.initial_states(len(clip))
    for start, end in ((0, 3), (3, 4), (4, 8)):
        logits, states = stream.step(clip[:, start:end], states)
    np.testing.assert_allclose(logits, model(clip), rtol=1e-4, atol=1e-5)


def test_size_that_is_too_small_is_refused():
    with pytest.raises(ValueError, match="size is 31: mobilenet_v3_small needs .* 32"):
        MobileNetV3(BackboneConfig.of_family("mobilenet_v3_small"), 31)


@pytest.mark.slow
@pytest.mark.parametrize(
    "model_id, cost, stem, channels, last",
    [
        ("mobilenet_v3_small", 56.5e6, 16, (16, 24, 24, 40, 40, 40), 576),
        pytest.param(
            "mobilenet_v3_large",
            217e6,
            16,
            (16, 24, 24, 40, 40, 40),
            960,
            marks=pytest.mark.slow,
        ),
    ],
)
def test_frame_costs_what_is_published(model_id, cost, stem, channels, last):
    model = build_model(preset(model_id, frames=1, num_classes=1000))
    found = endpoint_channels(model.backbone)
    names = ["stem", *(f"block{index}" for index in range(len(channels)))]
    assert [found[name] for name in names] == [stem, *channels]
    assert found["head"] == last
    clip = tf.TensorSpec((1, 1, 224, 224, 3))
    traced = tf.function(lambda x: model(x, training=False)).get_concrete_function(clip)
    # Keras Applications says 56 M and 217 M.
    assert sum(multiply_adds(traced).values()) == pytest.approx(cost, rel=0.01)
