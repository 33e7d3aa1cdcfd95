"""Tests that recomputed blocks train as others do."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from everyday import slow_but
from toy_backbones import BACKBONES, BASE

from grw_tf.models import RegularizationConfig
from grw_tf.models.backbone import residual_blocks
from grw_tf.models.regularization_config import OwnLayerConfig
from grw_tf.training.precision import precision
from grw_tf.training.step_random import draw_by_step

DROPS = {"stochastic_depth_drop_rate": 0.3}
FORMS = {
    "stream": DROPS,
    "base": BASE | DROPS,
    "3d_2plus1d": {"conv_type": "3d_2plus1d"},
    "slowonly": BACKBONES["slowonly_nano"] | DROPS,
    "slowonly, bottlenecks": BACKBONES["slowonly_nano_bottleneck"],
    "slowfast": BACKBONES["slowfast_nano"] | DROPS,
    "csn": BACKBONES["csn_nano"] | DROPS,
}
RMS = RegularizationConfig(methods=("rms",))


def _pair(nano, backbone, **fields):
    """Returns equal models, without and with recomputed blocks."""
    return [
        nano(fresh=True, backbone=dict(backbone) | {"recompute": recompute}, **fields)
        for recompute in (False, True)
    ]


def _numbers(models, clip):
    """Returns a step of each model.

    That is the loss, gradients and statistics by name, and the number of batches
    normalized.
    """
    names = [weight.name for weight in models[0].weights]
    found = []
    for model in models:
        draw_by_step(model, 1, tf.Variable(3, trainable=False, dtype=tf.int64))
        found.append(_step(model, clip, names))
    return found


def _step(model, clip, names):
    @tf.function
    def step():
        with tf.GradientTape() as tape:
            logits = tf.cast(model(clip, training=True), tf.float32)
            loss = tf.reduce_mean(logits**2)
        return loss, tape.gradient(loss, model.trainable_variables)

    graph = step.get_concrete_function().graph
    kinds = [operation.type for operation in graph.get_operations()]
    loss, gradients = step()
    trained = map(id, model.trainable_variables)
    changed = dict(zip(trained, gradients, strict=True))
    values = [np.asarray(changed.get(id(weight), weight)) for weight in model.weights]
    numbers = {"loss": loss.numpy()} | dict(zip(names, values, strict=True))
    return numbers, kinds.count("FusedBatchNormV3")


def _assert_same(actual, expected):
    for name, value in expected.items():
        atol = 1e-6 * max(np.abs(value).max(), 1e-3)
        np.testing.assert_allclose(actual[name], value, rtol=0, atol=atol, err_msg=name)


def _check_step(models, clip):
    before = models[0].non_trainable_weights[0].numpy()
    (expected, plain), (actual, recomputed) = _numbers(models, clip)
    for name, value in expected.items():
        atol = 1e-6 * max(np.abs(value).max(), 1e-3)
        np.testing.assert_allclose(actual[name], value, rtol=0, atol=atol, err_msg=name)
    assert (models[0].non_trainable_weights[0].numpy() != before).all()
    in_blocks = sum(
        isinstance(layer, tf_keras.layers.BatchNormalization)
        for block in residual_blocks(models[0].backbone, models[0].config.backbone)
        for layer in block.layer.submodules
    )
    assert recomputed == plain + in_blocks > plain


@pytest.mark.parametrize("form", slow_but(["slowonly"], FORMS))
def test_gradients_and_statistics_are_the_same(nano, clip, form):
    _check_step(_pair(nano, FORMS[form], regularization=RMS), clip)


@pytest.mark.slow
def test_gradients_and_statistics_are_the_same_in_mixed_precision(nano, clip):
    with precision("bfloat16"):
        # Of another rate, so that no model of another precision is taken.
        models = _pair(nano, DROPS, fps=6.0)
        assert models[0].backbone.compute_dtype == "bfloat16"
        _check_step(models, clip)


@pytest.mark.slow
def test_both_passes_draw_the_same_without_a_trainer(nano, clip):
    drop = RegularizationConfig(methods=("random_drop",))
    model = nano(fresh=True, backbone={"recompute": True}, regularization=drop)
    block = model.backbone.get_layer("block1_layer1")
    kernel = block._projection.trainable_variables[0]
    x = tf.ones((2, 8, 4, 4, block.input_shape[-1]))

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            y, _ = block(x, training=True)
            loss = tf.reduce_sum(y**2)
        return y, tape.gradient(loss, kernel)

    dropped = []
    for _ in range(12):
        y, gradient = step()
        dropped.append(bool(np.allclose(y, x)))
        # A dropped branch has no gradient, one that is not dropped has.
        assert np.any(gradient) != dropped[-1]
    assert len(set(dropped)) == 2


@pytest.mark.slow
def test_checkpoints_and_logits_are_the_same(nano, clip, tmp_path):
    listed, logits = [], []
    for name, model in zip(("plain", "recomputed"), _pair(nano, BASE), strict=True):
        path = tf.train.Checkpoint(model=model).save(tmp_path / name)
        listed.append(dict(tf.train.list_variables(path)))
        logits.append(model(clip))
    assert listed[0] == listed[1]
    np.testing.assert_array_equal(*logits)


def test_it_is_refused_where_it_cannot_act(nano):
    backbone = BACKBONES["mobilenet_v3_small"] | {"recompute": True}
    with pytest.raises(ValueError, match="no block of mobilenet_v3_small is a layer"):
        nano(fresh=True, backbone=backbone)
    own = RegularizationConfig(
        methods=("own_layer",), own_layer=OwnLayerConfig(layer="SpatialDropout3D")
    )
    with pytest.raises(ValueError, match="recompute is true and .* has own_layer"):
        nano(fresh=True, backbone={"recompute": True}, regularization=own)
