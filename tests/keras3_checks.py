"""Checks of `grw_tf.keras3`, in a process that never imports `tf_keras`."""

import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from grw_tf.keras3 import GRWSmoothing, IntermediateGRWSmoothing, grw_loss
from grw_tf.losses import cut_windows
from grw_tf.losses import grw_loss as tensorflow_loss

Z = np.random.default_rng(0).normal(size=(4, 7, 3)).astype("float32")
X = np.random.default_rng(0).normal(size=(4, 6, 2, 2, 3)).astype("float32")
LAYERS = {
    "final": (GRWSmoothing, Z),
    "intermediate": (IntermediateGRWSmoothing, X),
}


@pytest.fixture(params=LAYERS)
def layer_and_input(request):
    layer_class, inputs = LAYERS[request.param]
    return layer_class(3, weight=0.3, name="grw"), inputs


def _assert_close(actual, expected, tolerance):
    scale = np.abs(expected).max()
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize(
    ("dtype", "suffix", "loss_tolerance", "gradient_tolerance"),
    [("float32", "", 2e-6, 1e-5), ("float64", "64", 1e-9, 1e-9)],
)
def test_loss_equals_the_published_implementation(
    published_cases, dtype, suffix, loss_tolerance, gradient_tolerance
):
    for case in published_cases:
        z = tf.constant(case["Z"], dtype)
        with tf.GradientTape() as tape:
            tape.watch(z)
            loss = keras.ops.mean(grw_loss(z, alpha=case["alpha"]))
        _assert_close(loss, case["loss" + suffix], loss_tolerance)
        gradient = tape.gradient(loss, z)
        _assert_close(gradient, case["grad" + suffix], gradient_tolerance)


@pytest.mark.parametrize(
    "arguments",
    [{"frames": 8}, {"frames": 6, "orders": "sampled", "max_orders": 50, "seed": 1}],
    ids=["dynamic", "sampled"],
)
def test_loss_equals_that_of_tensorflow(arguments):
    arguments = dict(arguments)
    z = 0.3 * np.random.default_rng(0).normal(size=(4, arguments.pop("frames"), 3))
    expected = tensorflow_loss(z, **arguments)
    np.testing.assert_allclose(grw_loss(z, **arguments), expected, rtol=1e-12)


def test_sampled_orders_are_new_at_each_call():
    z = tf.constant(0.1 * np.random.default_rng(0).normal(size=(4, 13, 3)))
    losses = tf.function(lambda: grw_loss(z, max_orders=20))
    assert (losses().numpy() != losses().numpy()).all()


def test_layer_returns_its_input_and_adds_a_loss_while_training(layer_and_input):
    layer, inputs = layer_and_input
    for training, count in ((False, 0), (True, 1), (None, 0)):
        np.testing.assert_array_equal(layer(inputs, training=training), inputs)
        assert len(layer.losses) == count


def test_loss_of_the_layer_is_the_weighted_mean_over_windows():
    layer = GRWSmoothing(3, weight=0.3, alpha=0.7)
    layer(Z, training=True)
    loss = tf.reduce_mean(tensorflow_loss(cut_windows(Z, 3), alpha=0.7))
    np.testing.assert_allclose(layer.losses[0], 0.3 * loss, rtol=1e-6)


def test_loss_of_the_intermediate_layer_is_of_batch_normalized_means_over_space():
    layer = IntermediateGRWSmoothing(3, weight=0.3, momentum=0.75)
    layer(X, training=True)
    pooled = X.mean(axis=(2, 3))
    mean, variance = pooled.mean(axis=(0, 1)), pooled.var(axis=(0, 1))
    z = (pooled - mean) / np.sqrt(variance + 1e-3)
    loss = tf.reduce_mean(tensorflow_loss(cut_windows(z, 3)))
    np.testing.assert_allclose(layer.losses[0], 0.3 * loss, rtol=1e-5)
    moving = {weight.name: weight.numpy() for weight in layer.weights}
    np.testing.assert_allclose(moving["moving_mean"], 0.25 * mean, rtol=1e-4)
    np.testing.assert_allclose(
        moving["moving_variance"], 0.75 + 0.25 * variance, rtol=1e-4
    )


def test_weight_grows_over_the_warmup_steps():
    layer = GRWSmoothing(3, weight=0.3, warmup_steps=2)
    losses = []
    for _ in range(4):
        layer(Z, training=True)
        losses.append(float(layer.losses[0]))
    expected = losses[-1] * np.array([0, 0.5, 1, 1])
    np.testing.assert_allclose(losses, expected, rtol=1e-6)


def test_fit_adds_the_loss_and_logs_it_under_its_own_name(layer_and_input):
    layer, inputs = layer_and_input
    model = keras.Sequential(
        [keras.Input(inputs.shape[1:]), keras.layers.Dense(3), layer]
    )
    model.compile(keras.optimizers.SGD(0.01), "mse", metrics=["mse"])
    data = inputs, inputs
    history = model.fit(*data, validation_data=data, epochs=2, verbose=0).history
    for name in ("grw_loss", "grw_velocity", "grw_order_accuracy"):
        assert len(history[name]) == 2
    expected = history["mse"][0] + 0.3 * history["grw_loss"][0]
    np.testing.assert_allclose(history["loss"][0], expected, rtol=1e-5)
    np.testing.assert_allclose(history["val_loss"], history["val_mse"], rtol=1e-5)


def test_config_round_trip(layer_and_input):
    layer, _ = layer_and_input
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


def test_saved_model_with_the_layer_loads(layer_and_input, tmp_path):
    layer, inputs = layer_and_input
    model = keras.Sequential([keras.Input(inputs.shape[1:]), layer])
    model(inputs, training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    model(inputs, training=True)
    loaded(inputs, training=True)
    np.testing.assert_array_equal(loaded.losses, model.losses)
    for weight, expected in zip(loaded.weights, model.weights, strict=True):
        np.testing.assert_array_equal(weight, expected)


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_loss_is_float32_under_mixed_precision(layer_and_input, dtype):
    layer, inputs = layer_and_input
    layer = type(layer).from_config(layer.get_config() | {"dtype": dtype})
    layer(100 * inputs, training=True)
    assert layer.losses[0].dtype == tf.float32
    assert np.isfinite(layer.losses[0])


def test_bad_inputs_and_arguments_are_refused():
    with pytest.raises(ValueError, match="N=7 .* T=8"):
        GRWSmoothing(8)(Z)
    with pytest.raises(ValueError, match="takes inputs"):
        IntermediateGRWSmoothing(3)(Z)
    with pytest.raises(ValueError, match="weight must not be negative"):
        GRWSmoothing(3, weight=-1)


def test_keras2_was_never_imported():
    assert keras.backend.backend() == "tensorflow"
    assert "tf_keras" not in sys.modules


def test_windows_of_repeated_frames_alone_take_no_part():
    new = np.ones((4, 7), bool)
    new[1, 2:] = False
    layer = GRWSmoothing(3, weight=0.3)
    layer(Z, training=True, new_frames=new)
    (loss,) = layer.losses
    windows = tensorflow_loss(cut_windows(Z, 3)).numpy().reshape(4, 2)
    means = windows.mean(axis=1)
    means[1] = windows[1, 0]
    np.testing.assert_allclose(loss, 0.3 * means.mean(), rtol=1e-5)
