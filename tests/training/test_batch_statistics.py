"""Tests of batch statistics estimated anew on clips."""

import contextlib
import functools

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from toy_backbones import BACKBONES

from grw_tf.layers.perturbed_batch_normalization import PerturbedBatchNormalization
from grw_tf.models import RegularizationConfig, SmoothingConfig
from grw_tf.models.regularization_config import RMSConfig
from grw_tf.training.batch_statistics import (
    BatchStatistics,
    trained_batch_normalizations,
)
from grw_tf.training.recalibration import Recalibration

# Batches of 3, 3 and 1.
CLIPS = np.random.default_rng(1).random((7, 8, 32, 32, 3), "float32")
BATCH = 3


SLOWONLY = {"model_id": "slowonly_nano"} | BACKBONES["slowonly_nano"]


@pytest.fixture
def small():
    """A model that is traced in a moment."""
    tf_keras.utils.set_random_seed(0)
    model = tf_keras.Sequential(
        [
            tf_keras.layers.Conv3D(4, 3, 2),
            PerturbedBatchNormalization(),
            tf_keras.layers.ReLU(),
            tf_keras.layers.Dropout(0.5),
            tf_keras.layers.Conv3D(4, 3),
            tf_keras.layers.BatchNormalization(),
        ]
    )
    model.build((None, *CLIPS.shape[1:]))
    return model


def _batches(clips=CLIPS, batch=BATCH):
    labels = np.zeros(len(clips), np.int64)
    return tf.data.Dataset.from_tensor_slices((clips, labels)).batch(batch)


@contextlib.contextmanager
def _estimated(model, batches=None):
    """Gives a model's statistics back in the end; yields them by variable's place."""
    statistics = BatchStatistics(model, trained_batch_normalizations(model))
    statistics.estimate(batches or _batches())
    try:
        yield _moving(model)
    finally:
        statistics.put_back()


def _moving(model):
    return [
        variable.numpy()
        for layer in trained_batch_normalizations(model)
        for variable in (layer.moving_mean, layer.moving_variance)
    ]


def _keras(model):
    """Returns the same by Keras' own statistics in training, pooled by numpy.

    The model must have nothing else that differs in training.
    """
    layers = trained_batch_normalizations(model)
    train = tf.function(functools.partial(model, training=True), reduce_retracing=True)
    kept = model.get_weights()
    momenta = [layer.momentum for layer in layers]
    means, squares = [], []
    for layer in layers:
        layer.momentum = 0.0
    for start in range(0, len(CLIPS), BATCH):
        train(CLIPS[start : start + BATCH])
        values = np.array(_moving(model), object)
        means.append(values[::2])
        squares.append(values[1::2] + values[::2] ** 2)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    model.set_weights(kept)
    clips = np.array([3, 3, 1], "float64")[:, None] / 7
    mean, square = (np.sum(clips * np.array(v), axis=0) for v in (means, squares))
    pairs = zip(mean, square - mean**2, strict=True)
    return [value for pair in pairs for value in pair]


def _check_close(found, expected, tolerance=1e-5):
    for value, wanted in zip(found, expected, strict=True):
        wanted = np.asarray(wanted, "float64")
        np.testing.assert_allclose(
            value, wanted, rtol=0, atol=tolerance * max(np.abs(wanted).max(), 1)
        )


def _check_equal(found, expected):
    for value, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(value, wanted)


@pytest.mark.parametrize(
    "backbone",
    [
        SLOWONLY,
        pytest.param({}, marks=pytest.mark.slow),
        pytest.param({"conv_type": "3d_2plus1d"}, marks=pytest.mark.slow),
        pytest.param(
            {"causal": False, "conv_type": "3d", "se_type": "3d"},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"model_id": "mobilenet_v3_small"} | BACKBONES["mobilenet_v3_small"],
            marks=pytest.mark.slow,
        ),
    ],
    ids=["slowonly", "2plus1d", "3d_2plus1d", "base", "mobilenet"],
)
def test_estimates_are_keras_own_batch_statistics_pooled(nano, backbone):
    model = nano(backbone=backbone)
    expected = _keras(model)
    with _estimated(model) as found:
        _check_close(found, expected)


def test_first_layer_has_the_mean_and_variance_of_all_clips(small):
    # The means of batches differ much, so a mean of variances would be too small.
    clips = CLIPS + np.arange(7, dtype="float32")[:, None, None, None, None]
    values = small.layers[0](clips).numpy().astype("float64")
    first = small.layers[1]
    with _estimated(small, _batches(clips)):
        mean, variance = first.moving_mean, first.moving_variance
        np.testing.assert_allclose(mean, values.mean((0, 1, 2, 3)), rtol=1e-5)
        np.testing.assert_allclose(variance, values.var((0, 1, 2, 3)), rtol=1e-5)


def test_estimates_depend_on_weights_and_clips_alone(small):
    with _estimated(small) as first:
        pass
    for layer in trained_batch_normalizations(small):
        layer.moving_mean.assign_add(tf.ones_like(layer.moving_mean))
        layer.moving_variance.assign(1e6 * layer.moving_variance)
    before = small.get_weights()
    statistics = BatchStatistics(small, trained_batch_normalizations(small))
    for _ in range(2):
        assert statistics.estimate(_batches()) == len(CLIPS)
        _check_equal(_moving(small), first)
    assert statistics.is_in_force
    statistics.put_back()
    assert not statistics.is_in_force
    _check_equal(small.get_weights(), before)
    # All batches and estimates are of one trace.
    assert statistics._estimate.experimental_get_tracing_count() == 1


def test_model_infers_with_the_estimates_and_as_before_after(small):
    before = small(CLIPS).numpy()
    with _estimated(small):
        assert np.abs(small(CLIPS) - before).max() > 0.1 * np.abs(before).max()
    np.testing.assert_array_equal(small(CLIPS), before)
    assert not any("call" in vars(layer) for layer in small.layers)


@pytest.mark.slow
@pytest.mark.parametrize(
    "methods",
    [
        ("rms", "shake_drop"),
        pytest.param(("random_drop",), marks=pytest.mark.slow),
    ],
)
def test_regularizers_are_off(nano, methods):
    plain = nano(backbone=SLOWONLY)
    regularized = nano(
        fresh=True,
        backbone=SLOWONLY,
        regularization=RegularizationConfig(methods=methods),
        smoothing=SmoothingConfig(layers=("res4",), window=4),
    )
    # The smoothing's own batch normalization is not called at inference.
    (own,) = trained_batch_normalizations(regularized.smoothing["res4"])
    kept = own.moving_mean.numpy()
    with _estimated(plain) as expected, _estimated(regularized):
        found = _moving(regularized.backbone)
        _check_equal(found, expected)
        np.testing.assert_array_equal(own.moving_mean, kept)
    assert not regularized.losses


@pytest.mark.slow
def test_rms_that_acts_at_inference_acts_on_estimates_too(nano):
    # Without spread, it does in training what it does at inference.
    rms = RegularizationConfig(
        methods=("rms",), rms=RMSConfig(distribution="uniform(2, 2)")
    )
    model = nano(fresh=True, backbone=SLOWONLY, regularization=rms)
    expected = _keras(model)
    with _estimated(model) as found:
        _check_close(found, expected)


def test_frozen_layer_keeps_its_statistics_and_infers_by_them(small):
    frozen, trained = small.layers[1], small.layers[5]
    frozen.trainable = False
    kept = frozen.moving_mean.numpy(), frozen.moving_variance.numpy()
    seen = small.layers[2](frozen(small.layers[0](CLIPS), training=False))
    values = small.layers[4](seen).numpy()
    with _estimated(small):
        mean, variance = trained.moving_mean, trained.moving_variance
        np.testing.assert_array_equal(frozen.moving_mean, kept[0])
        np.testing.assert_array_equal(frozen.moving_variance, kept[1])
        np.testing.assert_allclose(mean, values.mean((0, 1, 2, 3)), atol=1e-5)
        np.testing.assert_allclose(variance, values.var((0, 1, 2, 3)), rtol=1e-5)


def test_all_frozen_is_reported_and_changes_nothing(small):
    small.trainable = False
    before = small.get_weights()
    reported = []
    recalibration = Recalibration(small, None, reported.append)
    recalibration.estimate(0.0)
    recalibration.put_back()
    assert "No batch normalization trains" in reported[0]
    _check_equal(small.get_weights(), before)


def test_seconds_and_their_share_are_reported(small):
    reported = []
    Recalibration(small, _batches, reported.append).estimate(training_seconds=1e6)
    assert "of 2 batch normalizations on 7 training clips in " in reported[0]
    assert reported[0].endswith(" s (0% of the training time so far).")


@pytest.mark.parametrize("kind", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_accumulates_in_float32(small, kind):
    tf_keras.mixed_precision.set_global_policy(kind)
    try:
        half = tf_keras.models.clone_model(
            small,
            clone_function=lambda layer: type(layer).from_config(
                layer.get_config() | {"dtype": kind}
            ),
        )
    finally:
        tf_keras.mixed_precision.set_global_policy("float32")
    half.set_weights(small.get_weights())
    assert half(CLIPS).dtype != tf.float32
    with _estimated(small) as expected, _estimated(half) as found:
        assert {value.dtype for value in found} == {np.dtype("float32")}
        # As near as features of 8 bits are.
        _check_close(found, expected, tolerance=0.01)


def test_layer_that_is_called_twice_is_refused():
    inputs = tf_keras.Input((4, 3))
    norm = tf_keras.layers.BatchNormalization(name="shared")
    model = tf_keras.Model(inputs, norm(norm(inputs)))
    statistics = BatchStatistics(model, trained_batch_normalizations(model))
    with pytest.raises(ValueError, match="'shared' twice, .* set batch_norm_recalibr"):
        statistics.estimate(_batches(np.zeros((4, 4, 3), "float32")))


@pytest.mark.slow
def test_two_replicas_estimate_as_one(run_isolated):
    run_isolated("batch_statistics_checks.py")
