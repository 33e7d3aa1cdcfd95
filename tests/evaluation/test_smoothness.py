"""Tests of the measures of smoothness."""

import numpy as np
import pytest

from grw_tf.evaluation.smoothness import smoothness


def test_straight_steady_paths_have_no_acceleration():
    rng = np.random.default_rng(0)
    start, pace = rng.normal(size=(2, 4, 1, 8))
    z = start + pace * np.arange(12)[None, :, None]
    measured = smoothness(z, window=6)
    assert measured.acceleration_ratio == pytest.approx(0, abs=1e-12)
    assert measured.order_accuracy == 1


def test_independent_noise_has_ratio_root_three_and_random_order():
    z = np.random.default_rng(0).normal(size=(100, 12, 256))
    measured = smoothness(z, window=6)
    assert measured.acceleration_ratio == pytest.approx(np.sqrt(3), rel=0.01)
    assert measured.order_accuracy < 0.05


def test_scale_does_not_matter():
    z = np.random.default_rng(0).normal(size=(5, 12, 8)).cumsum(axis=1)
    small, large = smoothness(z * 1e-3, 6), smoothness(z * 1e3, 6)
    assert small.acceleration_ratio == pytest.approx(large.acceleration_ratio)
    assert small.order_accuracy == large.order_accuracy
