"""Tests of features at a higher frame rate."""

import numpy as np
import pytest
import tensorflow as tf

from grw_tf.layers.time_interpolation import TimeInterpolation


def _features(steps):
    shape = (2, steps, 1, 3, 4)
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("factor", [1, 2, 4, 8])
@pytest.mark.parametrize("steps", [1, 4])
def test_it_interpolates_between_the_middles_of_frames(factor, steps):
    x = _features(steps)
    actual = TimeInterpolation(factor)(x).numpy()
    middles = (np.arange(steps * factor) + 0.5) / factor - 0.5
    expected = np.apply_along_axis(
        lambda values: np.interp(middles, np.arange(steps), values), 1, x
    )
    np.testing.assert_allclose(actual, expected, atol=1e-6)


@pytest.mark.parametrize("factor", [2, 3, 8])
def test_mean_over_time_stays(factor):
    x = _features(5)
    actual = TimeInterpolation(factor)(x).numpy()
    np.testing.assert_allclose(actual.mean(1), x.mean(1), atol=1e-6)


def test_type_stays_and_shape_is_known():
    layer = TimeInterpolation(2, dtype="float16")
    features = layer(tf.cast(_features(3), tf.float16))
    assert (features.dtype, features.shape) == (tf.float16, (2, 6, 1, 3, 4))
    assert TimeInterpolation.from_config(layer.get_config()).factor == 2
