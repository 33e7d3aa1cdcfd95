"""Tests of the smoothing layer on feature maps."""

import numpy as np
import pytest
import tensorflow as tf

from grw_tf.layers import IntermediateGRWSmoothing
from grw_tf.losses import cut_windows, grw_loss

X = np.random.default_rng(0).normal(2, 3, size=(2, 6, 4, 5, 3)).astype("float32")
POOLED = X.astype("float64").mean(axis=(2, 3))
MEAN, VARIANCE = POOLED.mean(axis=(0, 1)), POOLED.var(axis=(0, 1))


def _expected_loss(window, epsilon=1e-3):
    z = (POOLED - MEAN) / np.sqrt(VARIANCE + epsilon)
    return tf.reduce_mean(grw_loss(cut_windows(z, window)))


@pytest.mark.parametrize("synchronized", [True, False])
def test_loss_is_of_batch_normalized_means_over_space(synchronized):
    layer = IntermediateGRWSmoothing(3, weight=0.5, synchronized=synchronized)
    np.testing.assert_array_equal(layer(X, training=True), X)
    (loss,) = layer.losses
    np.testing.assert_allclose(loss, 0.5 * _expected_loss(3), rtol=1e-5)


def test_epsilon_is_that_of_the_batch_normalization():
    layer = IntermediateGRWSmoothing(3, weight=1.0, epsilon=0.7)
    layer(X, training=True)
    np.testing.assert_allclose(layer.losses[0], _expected_loss(3, 0.7), rtol=1e-5)


def test_moving_statistics_are_kept():
    layer = IntermediateGRWSmoothing(3, momentum=0.75)
    layer(X, training=True)
    mean, variance = layer.get_weights()
    np.testing.assert_allclose(mean, 0.25 * MEAN, rtol=1e-5)
    np.testing.assert_allclose(variance, 0.75 + 0.25 * VARIANCE, rtol=1e-5)


def test_checkpoint_holds_the_moving_statistics_only(tmp_path):
    layer = IntermediateGRWSmoothing(3)
    layer(X, training=True)
    path = tf.train.Checkpoint(layer=layer).save(tmp_path / "layer")
    names = {name for name, _ in tf.train.list_variables(path) if "layer/" in name}
    assert names == {
        f"layer/_batch_norm/moving_{kind}/.ATTRIBUTES/VARIABLE_VALUE"
        for kind in ("mean", "variance")
    }
    assert layer.trainable_weights == []


def test_float16_features_do_not_overflow():
    layer = IntermediateGRWSmoothing(3, weight=1.0, dtype="mixed_float16")
    x = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        output = layer(1000 * x, training=True)
        (loss,) = layer.losses
    assert output.dtype == tf.float16
    assert loss.dtype == tf.float32
    np.testing.assert_allclose(loss, _expected_loss(3, 1e-9), rtol=1e-2)
    assert np.isfinite(tape.gradient(loss, x)).all()
