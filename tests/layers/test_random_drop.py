"""Tests of RandomDrop."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from grw_tf.layers import RandomDrop
from grw_tf.layers.stochastic_depth import StochasticDepth
from grw_tf.training.step_random import draw_by_step

BRANCH = np.random.default_rng(0).normal(size=(4, 2, 3, 3, 2)) + 3


def _kept(layer, count=100, jit_compile=False):
    """Whether each clip of each of many calls was kept, [calls, clips]."""
    step = tf.Variable(0, dtype=tf.int64)
    draw_by_step(tf_keras.Sequential([layer]), seed=0, step=step)
    drop = tf.function(lambda x: layer(x, training=True), jit_compile=jit_compile)
    kept = []
    for _ in range(count):
        factors = drop(BRANCH).numpy() / BRANCH
        first = factors[:, :1, :1, :1, :1]
        np.testing.assert_allclose(factors, np.broadcast_to(first, BRANCH.shape))
        kept.append(first.ravel() > 0)
        np.testing.assert_allclose(first.ravel(), kept[-1] / (1 - layer.rate))
        step.assign_add(1)
    return np.array(kept)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_batch_is_dropped_or_kept_as_one(jit_compile):
    kept = _kept(RandomDrop(0.3, dtype="float64"), jit_compile=jit_compile)
    assert (kept == kept[:, :1]).all()
    assert abs(kept.mean() - 0.7) < 3 * (0.21 / 100) ** 0.5


@pytest.mark.parametrize("kind", [RandomDrop, StochasticDepth])
def test_clips_are_dropped_by_themselves(kind):
    kept = _kept(kind(0.3, level="clip", dtype="float64"))
    assert (kept != kept[:, :1]).any()
    assert abs(kept.mean() - 0.7) < 3 * (0.21 / 400) ** 0.5
    assert (np.abs(np.corrcoef(kept.T) - np.eye(4)) < 0.4).all()


def test_gradient_has_the_factor_of_the_branch():
    layer = RandomDrop(dtype="float64")
    seen = set()
    for _ in range(20):
        x = tf.constant(BRANCH)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
        gradient = tape.gradient(y, x)
        np.testing.assert_allclose(gradient, y / x)
        seen |= set(np.unique(gradient))
    assert seen == {0, 2}


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float32"])
def test_type_is_that_of_the_policy(policy):
    layer = RandomDrop(dtype=policy)
    for training in (False, True):
        y = layer(tf.constant(BRANCH), training=training)
        assert y.dtype == layer.compute_dtype


def test_configs_without_a_level_are_of_clips():
    assert StochasticDepth.from_config({"rate": 0.3}).level == "clip"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rate": 1}, "rate must be at least 0 and below 1, got 1"),
        ({"rate": -0.5}, "rate must be at least 0 and below 1, got -0.5"),
        ({"rate": float("nan")}, "rate must be .* got nan"),
        ({"level": "pixel"}, "Unknown level 'pixel': give one of clip, batch"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        RandomDrop(**arguments)
