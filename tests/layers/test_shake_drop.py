"""Tests of ShakeDrop."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from grw_tf.layers import ShakeDrop
from grw_tf.training.step_random import draw_by_step

SHAPE = (5, 2, 3, 3, 4)
"""Five clips, so that no other axis can be broadcast to theirs."""


@pytest.fixture(scope="module")
def branch():
    return np.random.default_rng(0).normal(size=SHAPE) + 3


def _drawn(layer, x, count, jit_compile=False):
    """Yields the factors of the branch and of its gradient at steps of training."""
    step = tf.Variable(0, dtype=tf.int64)
    draw_by_step(tf_keras.Sequential([layer]), seed=0, step=step)

    @tf.function(jit_compile=jit_compile)
    def shake(x, grad):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
        return y, tape.gradient(y, x, grad)

    x = tf.cast(x, layer.compute_dtype)
    # Not the branch, nor ones: the gradient must be the given one times a factor.
    grad = tf.reverse(x, [0, 1]) + 1
    given = [tf.cast(each, tf.float64).numpy() for each in (x, grad)]
    for _ in range(count):
        y, gradient = shake(x, grad)
        assert y.dtype == gradient.dtype == x.dtype
        y, gradient = (tf.cast(each, tf.float64).numpy() for each in (y, gradient))
        yield y / given[0], gradient / given[1]
        step.assign_add(1)


def _kept_and_shaken(draws):
    """Parts draws by whether b was 1, for nothing else makes both factors the same."""
    kept, shaken = [], []
    for forward, backward in draws:
        same = np.allclose(forward, backward, atol=1e-3)
        (kept if same else shaken).append((forward, backward))
    return kept, shaken


def _distinct(factors, axes):
    """Whether factors are the same along axes and differ along every other one."""
    for axis in range(factors.ndim):
        same = np.allclose(factors, factors.take([0], axis), rtol=1e-9)
        if same != (axis in axes):
            return False
    return True


@pytest.mark.parametrize(
    ("level", "shared_axes"),
    [
        ("batch", (0, 1, 2, 3, 4)),
        ("clip", (1, 2, 3, 4)),
        ("channel", (1, 2, 3)),
        ("pixel", ()),
    ],
)
def test_factors_are_drawn_at_the_level(branch, level, shared_axes):
    arguments = {"alpha": (-1, 1), "beta": (0, 1), "level": level, "dtype": "float64"}
    kept, shaken = _kept_and_shaken(_drawn(ShakeDrop(0.6, **arguments), branch, 12))
    assert kept and shaken
    # E = 0.4 + 0.6 E[alpha].
    for forward, backward in kept:
        np.testing.assert_allclose(forward, 1 / 0.4, rtol=1e-6)
        np.testing.assert_allclose(backward, 1 / 0.4, rtol=1e-6)
    for forward, backward in shaken:
        assert _distinct(forward, shared_axes) and _distinct(backward, shared_axes)
        assert (np.abs(0.4 * forward) <= 1 + 1e-6).all()
        assert (backward >= 0).all() and (0.4 * backward <= 1 + 1e-6).all()
        assert (np.abs(forward - backward) > 1e-4).mean() > 0.9


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_defaults_drop_forwards_and_shake_backwards(branch, policy, jit_compile):
    seen = set()
    for forward, backward in _drawn(ShakeDrop(dtype=policy), branch, 6, jit_compile):
        kept = bool(forward.any())
        seen.add(kept)
        np.testing.assert_array_equal(forward, 2.0 * kept)
        if kept:
            np.testing.assert_allclose(backward, 2, rtol=1e-2)
        else:
            # U(0, 0.5) / 0.5.
            assert backward.min() >= 0 and backward.max() <= 1.01
            assert abs(backward.mean() - 0.5) < 0.1 and backward.std() > 0.2
    assert seen == {False, True}


def test_draws_are_independent(branch):
    layer = ShakeDrop(0.5, (0, 1), (0, 1), "batch", dtype="float64")
    x = branch[:1, :1, :1, :1, :1]
    kept, shaken = _kept_and_shaken(_drawn(layer, x, 400))
    assert abs(len(kept) / 400 - 0.5) < 4 * 0.5 / 400**0.5
    factors = 0.75 * np.reshape(shaken, (-1, 2))
    # Draws with b's own numbers, which are all below the rate here, would be below it.
    assert (np.abs(factors.mean(0) - 0.5) < 0.1).all()
    assert (np.abs(factors.std(0) - 12**-0.5) < 0.05).all()
    assert abs(np.corrcoef(factors.T)[0, 1]) < 4 / len(shaken) ** 0.5


@pytest.mark.parametrize("rate", [0.2, 0.5])
@pytest.mark.parametrize("alpha", [(0, 0), (-1, 1), (0, 1)])
def test_mean_of_training_is_inference(rate, alpha):
    layer = ShakeDrop(rate, alpha, (0, 1), "batch")
    tf_keras.utils.set_random_seed(0)
    train = tf.function(lambda: layer(tf.ones((1, 1)), training=True))
    mean = np.mean([train().numpy() for _ in range(2000)])
    expectation = 1 - rate + rate * np.mean(alpha)
    assert abs(mean - 1) < 4 * (0.7 / expectation) / 2000**0.5


def test_training_may_be_a_tensor(branch):
    layer = ShakeDrop(0.9, dtype="float64")
    run = tf.function(lambda x, training: layer(x, training=training))
    np.testing.assert_array_equal(run(branch, tf.constant(False)), branch)
    assert (run(branch, tf.constant(True)).numpy() != branch).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rate": 1.0}, "rate must be at least 0 and below 1, got 1.0"),
        ({"rate": -0.1}, "rate must be at least 0 and below 1, got -0.1"),
        ({"rate": float("nan")}, "rate must be .* got nan"),
        ({"level": "frame"}, "'frame': give one of batch, clip, channel, pixel"),
        ({"alpha": (1, 0)}, r"bounds of uniform\(1, 0\) are the wrong way round"),
        ({"beta": (1, 0)}, r"bounds of uniform\(1, 0\) are the wrong way round"),
        ({"beta": (0,)}, r"beta must be two finite bounds, got \(0,\)"),
        ({"alpha": (0, float("inf"))}, r"alpha must be two finite bounds, got \(0, in"),
        ({"alpha": (-1, -1)}, "must be positive, got 0: raise alpha or lower rate"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message) as raised:
        ShakeDrop(**arguments)
    assert "\n" not in str(raised.value)
