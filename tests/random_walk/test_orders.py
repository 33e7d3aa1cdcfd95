"""Tests of the orders of a window's frames."""

import math

import numpy as np
import pytest

from grw_tf.random_walk import orders as orders_lib


@pytest.mark.parametrize("frames", range(3, 8))
def test_enumeration_is_the_published_one(shared, frames):
    arrays = np.load(shared / "vectors" / "grw_vectors.npz")
    published = arrays[f"perm_index/T{frames}"]
    np.testing.assert_array_equal(orders_lib.enumerate_orders(frames), published)


def test_sampled_orders_keep_the_first_frame_and_follow_the_seed():
    orders = orders_lib.sample_orders(9, 50, seed=1)
    assert (orders[:, 0] == 0).all()
    np.testing.assert_array_equal(np.sort(orders), [np.arange(9)] * 50)
    np.testing.assert_array_equal(orders, orders_lib.sample_orders(9, 50, seed=1))
    assert (orders != orders_lib.sample_orders(9, 50, seed=2)).any()


@pytest.mark.parametrize(
    ("form_of", "times"),
    [(orders_lib.velocity_form, 1), (orders_lib.acceleration_form, 2)],
)
def test_forms_are_sums_of_squared_differences(form_of, times):
    z = np.random.default_rng(0).normal(size=(6, 4))
    expected = (np.diff(z, n=times, axis=0) ** 2).sum()
    np.testing.assert_allclose((form_of(6) * (z @ z.T)).sum(), expected)


@pytest.mark.parametrize(
    ("frames", "orders", "max_orders", "method"),
    [
        (7, "auto", 2, "enumerated"),
        (8, "auto", 1000, "dynamic"),
        (12, "exact", 1000, "dynamic"),
        (13, "auto", 1000, "sampled"),
        (7, "sampled", 719, "sampled"),
        (7, "sampled", math.factorial(6), "enumerated"),
    ],
)
def test_method_follows_from_the_number_of_frames(frames, orders, max_orders, method):
    assert orders_lib.choose_method(frames, orders, max_orders) == method


@pytest.mark.parametrize(
    ("frames", "orders", "max_orders", "message"),
    [
        (5, "all", 1000, "orders must be .* got 'all'"),
        (2, "auto", 1000, "at least 3 frames .* T=2"),
        (5, "sampled", 1, "max_orders=1"),
        (13, "exact", 1000, r"reaches T=12, got T=13: .* 3 MiB for every window"),
    ],
)
def test_impossible_sums_are_refused(frames, orders, max_orders, message):
    with pytest.raises(ValueError, match=message):
        orders_lib.choose_method(frames, orders, max_orders)
