"""Tests of the swap of weights and their moving average."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from official.modeling import optimization

from grw_tf.training.optimization.moving_average import MovingAverage


def _swapped_twice(kind):
    weight = np.random.default_rng(0).normal(size=(50, 50)).astype("float32")
    with tf.distribute.OneDeviceStrategy("CPU:0").scope():
        model = tf_keras.Sequential([tf_keras.layers.Dense(50, use_bias=False)])
        model.build((None, 50))
        model.set_weights([weight])
        optimizer = kind(tf_keras.optimizers.legacy.SGD(0.1))
        optimizer.shadow_copy(model)
        average = optimizer.get_slot(model.weights[0], "average")
        average.assign(1000 * weight.T)
        optimizer.swap_weights()
        np.testing.assert_allclose(model.get_weights()[0], 1000 * weight.T, rtol=1e-2)
        optimizer.swap_weights()
    return weight, model.get_weights()[0]


def test_swapping_twice_changes_no_bit():
    np.testing.assert_array_equal(*_swapped_twice(MovingAverage))


def test_the_model_gardens_swap_would():
    before, after = _swapped_twice(optimization.ExponentialMovingAverage)
    assert (before != after).any()


@pytest.mark.parametrize("dynamic", [True, False])
def test_averages_begin_near_the_weights(dynamic):
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    with strategy.scope():
        model = tf_keras.Sequential([tf_keras.layers.Dense(1, use_bias=False)])
        model.build((None, 1))
        model.set_weights([np.ones((1, 1))])
        optimizer = MovingAverage(
            tf_keras.optimizers.legacy.SGD(0.0),
            average_decay=0.999,
            dynamic_decay=dynamic,
        )
        optimizer.shadow_copy(model)
        (weight,) = model.trainable_variables

        @tf.function
        def step():
            optimizer.apply_gradients([(tf.zeros_like(weight), weight)])

        for _ in range(10):
            strategy.run(step)
        average = optimizer.get_slot(weight, "average")
    np.testing.assert_allclose(average, weight, rtol=1e-3)
