"""Tests that layers draw by the step."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from grw_tf.layers.stochastic_depth import StochasticDepth
from grw_tf.training.step_random import draw_by_step


@pytest.fixture
def draw():
    """A function that returns what two random layers make of ones at a step."""

    def draw(step, seed=0, rate=0.5):
        inputs = tf_keras.Input((64,))
        outputs = [
            tf_keras.layers.Dropout(rate)(inputs),
            tf_keras.layers.Dropout(rate)(inputs),
            StochasticDepth(rate)(inputs),
        ]
        model = tf_keras.Model(inputs, outputs)
        variable = tf.Variable(step, dtype=tf.int64)
        draw_by_step(model, seed, variable)
        run = tf.function(lambda x: model(x, training=True))
        drawn = [output.numpy() for output in run(tf.ones((32, 64)))]
        variable.assign_add(1)
        return drawn, [output.numpy() for output in run(tf.ones((32, 64)))]

    return draw


def test_one_step_draws_the_same_and_the_next_another(draw):
    (first, second), (again, _) = draw(7), draw(7)
    for one, other, same in zip(first, second, again, strict=True):
        np.testing.assert_array_equal(one, same)
        assert (one != other).any()
    np.testing.assert_array_equal(draw(8)[0], second)


def test_layers_and_seeds_draw_apart(draw):
    (first, _), (other, _) = draw(7), draw(7, seed=1)
    assert (first[0] != first[1]).any()
    assert (first[0] != other[0]).any()


def test_stochastic_depth_drops_whole_clips_and_keeps_the_mean(draw):
    (drawn, _) = draw(0, rate=0.25)
    kept = drawn[2]
    assert set(np.unique(kept)) == {0.0, np.float32(1 / 0.75)}
    assert (kept == kept[:, :1]).all()
    assert 0.5 < (kept[:, 0] > 0).mean() < 0.95


def test_stochastic_depth_is_silent_at_inference():
    ones = tf.ones((4, 3))
    np.testing.assert_array_equal(StochasticDepth(0.9)(ones, training=False), ones)
