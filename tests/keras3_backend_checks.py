"""Checks of `grw_tf.keras3` on the backend that KERAS_BACKEND names.

On JAX and PyTorch they need no TensorFlow.
"""

import os
import pathlib
import re
import sys

import keras
import numpy as np
import pytest
from literal_loss import literal_loss

from grw_tf.keras3 import GRWSmoothing, IntermediateGRWSmoothing, grw_loss
from grw_tf.random_walk.orders import enumerate_orders

PAGE = pathlib.Path(__file__).resolve().parents[1] / "docs" / "keras3.md"
BACKEND = os.environ["KERAS_BACKEND"]
Z = np.random.default_rng(0).normal(size=(3, 10, 4)).astype("float32")


def test_backend_is_the_one_asked_for():
    assert keras.backend.backend() == BACKEND
    assert "tf_keras" not in sys.modules
    if BACKEND != "tensorflow":
        # Keras itself imports it where it is installed.
        assert keras.ops.convert_to_tensor(Z).__class__.__module__.startswith(
            {"jax": "jax", "torch": "torch"}[BACKEND]
        )


@pytest.mark.parametrize("frames", [3, 5, 6])
def test_loss_is_the_formula(frames):
    z = Z[:, :frames]
    expected = literal_loss(z.astype("float64"), enumerate_orders(frames), alpha=0.7)
    actual = keras.ops.convert_to_numpy(grw_loss(z, alpha=0.7))
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


def test_programme_of_long_windows_is_the_formula():
    z = 0.3 * Z[:2, :8].astype("float64")
    expected = literal_loss(z, enumerate_orders(8))
    actual = keras.ops.convert_to_numpy(grw_loss(z.astype("float32"), orders="exact"))
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


def _trained(layer, weights, rate):
    """Returns embeddings after a step of plain gradient descent on the layer's loss."""
    inputs = keras.Input((10, 4))
    z = keras.layers.Dense(4, use_bias=False, name="map")(inputs)
    model = keras.Model(inputs, layer(z))
    model.get_layer("map").set_weights([weights])
    # A loss of 0, so that the layer's alone acts.
    model.compile(keras.optimizers.SGD(rate), lambda _, y: 0.0 * keras.ops.mean(y, -1))
    model.fit(Z, Z, batch_size=len(Z), epochs=1, verbose=0)
    return model.get_layer("map").get_weights()[0]


def test_gradient_is_that_of_the_formula():
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(4, 4)).astype("float32")
    moved = _trained(GRWSmoothing(5, weight=0.3), weights, rate=1.0)

    def loss(kernel):
        windows = (Z.astype("float64") @ kernel).reshape(6, 5, 4)
        return 0.3 * literal_loss(windows, enumerate_orders(5)).mean()

    gradient = np.zeros((4, 4))
    for index in np.ndindex(4, 4):
        step = np.zeros((4, 4))
        step[index] = 1e-5
        gradient[index] = (loss(weights + step) - loss(weights - step)) / 2e-5
    np.testing.assert_allclose(
        weights - moved, gradient, rtol=1e-3, atol=1e-4 * np.abs(gradient).max()
    )


def test_layer_acts_in_training_alone():
    layer = GRWSmoothing(5, weight=0.3)
    for training in (False, None):
        outputs = layer(Z, training=training)
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(outputs), Z)
        assert not layer.losses
    layer(Z, training=True)
    windows = Z.reshape(6, 5, 4).astype("float64")
    expected = 0.3 * literal_loss(windows, enumerate_orders(5)).mean()
    np.testing.assert_allclose(float(layer.losses[0]), expected, rtol=1e-5)


def test_intermediate_layer_keeps_the_networks_path():
    x = np.random.default_rng(2).normal(size=(2, 6, 3, 3, 4)).astype("float32")
    layer = IntermediateGRWSmoothing(3, weight=0.3)
    outputs = layer(x, training=True)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(outputs), x)
    assert float(layer.losses[0]) > 0


def test_code_of_the_page_trains_and_saves(tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    rng = np.random.default_rng(3)
    labels = np.arange(24) % 10
    # A color a class, so that there is something to learn.
    clips = (
        rng.random((24, 16, 32, 32, 3)) * 0.1
        + rng.random((10, 3))[labels, None, None, None]
    )
    names = {"train_clips": clips.astype("float32"), "train_labels": labels}
    exec(code, names)
    model = names["model"]
    history = model.history.history
    assert history["loss"][-1] < history["loss"][0]
    assert ("grw_loss" in history) == (BACKEND != "jax")
    expected = model.predict(names["train_clips"], verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    actual = loaded.predict(names["train_clips"], verbose=0)
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.skipif(BACKEND != "jax", reason="a seed is needed on JAX alone")
def test_sampled_orders_need_a_seed():
    with pytest.raises(ValueError, match="on JAX sampled orders need a seed"):
        GRWSmoothing(12, orders="sampled")
