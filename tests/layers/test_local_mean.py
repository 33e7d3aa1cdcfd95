"""Tests of the local mean, against plain loops over neighbors."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf

from grw_tf.layers.local_mean import local_mean

FILTERS = [(1, None), (3, None), (5, None), (3, 0.4), (3, 2.0), (5, 1.0), (3, 1e-200)]


def _expected(x, kernel_size, std, causal):
    """The mean, neighbor by neighbor."""
    result = np.zeros(x.shape)
    sides = x.shape[1:-1]
    half = kernel_size // 2
    for position in itertools.product(*map(range, sides)):
        windows = [range(p - half, p + half + 1) for p in position]
        if causal and len(sides) == 3:
            windows[0] = range(position[0] - kernel_size + 1, position[0] + 1)
        total, weights = 0.0, 0.0
        for other in itertools.product(*windows):
            if any(o < 0 or o >= side for o, side in zip(other, sides, strict=True)):
                continue
            weight = 1.0
            for o, p in zip(other, position, strict=True):
                if std is not None and o != p:
                    weight *= math.exp(-(((o - p) / max(std, 1e-2)) ** 2) / 2)
            total = total + weight * x[(slice(None), *other)]
            weights += weight
        result[(slice(None), *position)] = total / weights
    return result


@pytest.fixture(scope="module")
def maps():
    """Feature maps by rank, with sides shorter and longer than windows."""
    rng = np.random.default_rng(0)
    return {4: rng.normal(size=(2, 6, 3, 3)), 5: rng.normal(size=(2, 6, 2, 4, 3))}


@pytest.mark.parametrize(("kernel_size", "std"), FILTERS)
@pytest.mark.parametrize(("rank", "causal"), [(4, False), (5, False), (5, True)])
def test_mean_is_that_of_the_neighbors_that_exist(maps, rank, causal, kernel_size, std):
    x = maps[rank]
    mean = local_mean(tf.constant(x), kernel_size, std, causal)
    expected = _expected(x, kernel_size, std, causal)
    np.testing.assert_allclose(mean, expected, rtol=1e-12, atol=1e-12)


def test_causality_of_images_does_not_matter(maps):
    x = tf.constant(maps[4])
    np.testing.assert_array_equal(local_mean(x, causal=True), local_mean(x))


def test_mean_filter_is_average_pooling_without_padding(maps):
    x = tf.constant(maps[5], tf.float32)
    pooled = tf.nn.avg_pool3d(x, 3, 1, "SAME")
    np.testing.assert_allclose(local_mean(x), pooled, atol=1e-6)


def test_narrow_gaussian_leaves_the_map(maps):
    x = tf.constant(maps[5])
    np.testing.assert_array_equal(local_mean(x, std=1e-200), x)


@pytest.mark.parametrize("std", [None, 1.0])
def test_constant_maps_are_their_mean(std):
    x = tf.fill([1, 4, 3, 5, 2], 3.0)
    np.testing.assert_allclose(local_mean(x, 5, std, causal=True), x, rtol=1e-6)


@pytest.mark.parametrize("std", [None, 1.0])
def test_later_frames_change_nothing_earlier(maps, std):
    x = maps[5]
    changed = x.copy()
    changed[:, 3:] += 1e6
    before, after = (
        local_mean(tf.constant(each), 3, std, causal=True).numpy()
        for each in (x, changed)
    )
    np.testing.assert_array_equal(after[:, :3], before[:, :3])
    # The window has the frame itself and two more.
    assert (after[:, 3:] != before[:, 3:]).all()
    changed = x.copy()
    changed[:, 0] += 1e6
    after = local_mean(tf.constant(changed), 3, std, causal=True).numpy()
    assert (after[:, :3] != before[:, :3]).all()
    np.testing.assert_array_equal(after[:, 3:], before[:, 3:])


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [("float16", 2**-11), ("bfloat16", 2**-8), ("float32", 1e-6), ("float64", 1e-14)],
)
def test_every_type_has_its_own_precision(maps, dtype, tolerance):
    x = tf.cast(maps[5] + 4.0, dtype)
    mean = local_mean(x, 5, 1.0)
    assert mean.dtype == x.dtype
    expected = _expected(tf.cast(x, tf.float64).numpy(), 5, 1.0, False)
    np.testing.assert_allclose(tf.cast(mean, tf.float64), expected, rtol=tolerance)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("std", [None, 0.7])
def test_gradient_is_the_transposed_mean(maps, std, causal):
    x = tf.constant(maps[5])
    grad = np.random.default_rng(1).normal(size=x.shape)
    with tf.GradientTape() as tape:
        tape.watch(x)
        mean = local_mean(x, 3, std, causal)
    gradient = tape.gradient(mean, x, tf.constant(grad))
    # <m(v), g> = <v, m'(g)> for any v.
    v = np.random.default_rng(2).normal(size=x.shape)
    expected = (_expected(v, 3, std, causal) * grad).sum()
    np.testing.assert_allclose(np.sum(v * gradient), expected, rtol=1e-10)


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("shape", [[None] * 4 + [3], [None] * 5, [2, 6, 2, 4, 3]])
def test_sides_may_be_unknown(maps, shape, jit_compile):
    specs = [tf.TensorSpec(shape, tf.float64)]

    @tf.function(input_signature=specs, jit_compile=jit_compile)
    def both(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            mean = local_mean(x, 3, 1.0, causal=True)
        assert mean.shape.as_list() == shape
        return mean, tape.gradient(mean, x)

    mean, gradient = both(tf.constant(maps[5]))
    expected = _expected(maps[5], 3, 1.0, True)
    np.testing.assert_allclose(mean, expected, atol=1e-12)
    # Each output's weights have sum 1.
    np.testing.assert_allclose(tf.reduce_sum(gradient), maps[5].size, rtol=1e-10)


@pytest.mark.parametrize("shape", [(2, 3, 4), (1, 2, 3, 4, 5, 6)])
def test_other_ranks_are_refused(shape):
    with pytest.raises(ValueError, match=r"Local means take .* got shape \("):
        local_mean(tf.zeros(shape))
