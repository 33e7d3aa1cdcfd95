"""Tests that Grad-CAM shows what a model goes by, where the cause is known."""

import contextlib

import numpy as np
import pytest
import tensorflow as tf
from everyday import slow_but
from toy_backbones import BACKBONES, BASE
from toy_heads import HEADS

from grw_tf.evaluation.grad_cam import Evidence, feature_endpoints, grad_cam
from grw_tf.models.backbone import endpoints

NETWORKS = {
    "movinet_stream": {"backbone": BACKBONES["nano"]},
    "movinet_base": {"backbone": BASE},
    "slowonly": {"backbone": BACKBONES["slowonly_nano"]},
    "mobilenet": {"backbone": BACKBONES["mobilenet_v3_small"]},
}


class _Linear:
    """A model whose logits are linear in the means of red and green.

    Its one endpoint is the clip at half the size and rate, so evidence for class 0 is
    exactly where red is, and for class 1 where green is; green speaks against class 0.
    """

    def __init__(self, size, frames):
        import tf_keras

        inputs = tf_keras.Input((frames, size, size, 3))
        pooled = tf_keras.layers.AveragePooling3D(2)(inputs)
        head = tf.reduce_mean(pooled, (2, 3), keepdims=True)
        self.backbone = tf_keras.Model(inputs, {"pooled": pooled, "head": head})
        self.weights = tf.constant([[2.0, -1.0, 0.0], [0.0, 3.0, 0.0]])
        self.config = type("Config", (), {"num_classes": 2})

    def __call__(self, clips, training=False):
        head = self.backbone(clips, training=training)["head"]
        return tf.einsum("btxyc,kc->bk", head, self.weights)


@pytest.fixture(scope="module")
def colored_clip():
    """A red square in frames 0 to 3 at the upper left, then a green one elsewhere."""
    clip = np.zeros((8, 16, 16, 3), np.float32)
    clip[:4, 2:6, 2:6, 0] = 1
    clip[4:, 10:14, 8:12, 1] = 0.5
    return clip


def test_evidence_of_a_linear_model_is_exactly_what_it_adds_up(colored_clip):
    model = _Linear(16, 8)
    red, green = (grad_cam(model, colored_clip, index).maps for index in (0, 1))
    # The logit is a sum over 4 frames of means over 8 x 8 places: each has its weight
    # divided by 64.
    expected = np.zeros((2, 4, 8, 8), np.float32)
    expected[0, :2, 1:3, 1:3] = 2 / 64
    expected[1, 2:, 5:7, 4:6] = 3 * 0.5 / 64
    np.testing.assert_allclose(red, expected[0], atol=1e-7)
    np.testing.assert_allclose(green, expected[1], atol=1e-7)


def test_likeliest_class_is_the_default(colored_clip):
    model = _Linear(16, 8)
    evidence = grad_cam(model, colored_clip)
    assert evidence.class_index == int(evidence.logits.argmax())
    assert evidence.logits == pytest.approx(model(colored_clip[None])[0].numpy())


def test_heat_is_as_large_as_the_clip_and_where_the_evidence_is(colored_clip):
    heat = grad_cam(_Linear(16, 8), colored_clip, 0).heat(8, 16)
    assert heat.shape == (8, 16, 16)
    assert heat.max() == pytest.approx(1) and heat.min() >= 0
    assert heat[:3, 3:5, 3:5].min() > 0.9
    assert heat[6:].max() == 0 and heat[:, 8:].max() == 0


def test_nothing_that_speaks_for_a_class_is_no_heat():
    nothing = Evidence(0, np.zeros(2), np.zeros((2, 3, 3), np.float32))
    assert not nothing.heat(4, 9).any()


@contextlib.contextmanager
def _shifted(backbone, endpoint, shift):
    """Adds a vector [channels] to all features of an endpoint, within the network."""
    network = getattr(backbone, "network", backbone)
    outputs = network.output
    outputs = outputs[0] if isinstance(outputs, tuple) else outputs
    layer = outputs[endpoint]._keras_history.layer
    call = layer.call

    def call_and_shift(*args, **kwargs):
        result = call(*args, **kwargs)
        if isinstance(result, tuple):
            return (result[0] + shift, *result[1:])
        return result + shift

    layer.call = call_and_shift
    try:
        yield
    finally:
        del layer.call


@pytest.mark.parametrize(
    "name, endpoint",
    slow_but(
        [("movinet_stream", -1), ("slowonly", 0)],
        [*((name, -1) for name in NETWORKS), ("movinet_stream", 0), ("slowonly", 0)],
    ),
)
def test_map_is_the_first_order_change_of_the_logit(nano, name, endpoint):
    """A place's evidence is what more of its features everywhere would add."""
    model = nano(**NETWORKS[name])
    known = feature_endpoints(model)
    assert "head" not in known
    endpoint = known[endpoint]
    clip = np.random.default_rng(1).random((8, 32, 32, 3)).astype(np.float32)
    evidence = grad_cam(model, clip, 2, endpoint)
    time, height, width = evidence.maps.shape
    assert time == 8 and height == width
    np.testing.assert_allclose(
        evidence.logits, model(clip[None], training=False)[0], rtol=1e-4, atol=1e-5
    )
    place = np.unravel_index(evidence.maps.argmax(), evidence.maps.shape)
    features = endpoints(model.backbone, tf.constant(clip[None]))[endpoint][0]
    vector = features[place].numpy()
    step = 2e-3
    logits = []
    for sign in (1, -1):
        with _shifted(model.backbone, endpoint, sign * step * vector):
            logits.append(float(model(clip[None], training=False)[0, 2]))
    change = (logits[0] - logits[1]) / (2 * step)
    assert change > 0
    assert evidence.maps[place] * evidence.maps.size == pytest.approx(change, rel=0.03)


@pytest.mark.parametrize("head", ["mean", "causal_transformer", "transformer"])
def test_every_head_leads_back_to_the_features(nano, head):
    clip = np.random.default_rng(1).random((8, 32, 32, 3)).astype(np.float32)
    evidence = grad_cam(nano(head=HEADS[head]), clip, 1)
    assert evidence.maps.shape[0] == 8 and evidence.maps.any()


def test_model_is_as_before(nano):
    model = nano()
    clip = np.zeros((8, 32, 32, 3), np.float32)
    before = [vars(layer).get("call") for layer in model.backbone.layers]
    grad_cam(model, clip, 0)
    assert [vars(layer).get("call") for layer in model.backbone.layers] == before


def test_unknown_endpoint_and_class_are_told(nano):
    clip = np.zeros((8, 32, 32, 3), np.float32)
    with pytest.raises(ValueError, match="Unknown endpoint 'sten'; did you mean 'ste"):
        grad_cam(nano(), clip, 0, "sten")
    with pytest.raises(ValueError, match="class_index is 5: the model has the classe"):
        grad_cam(nano(), clip, 5)
