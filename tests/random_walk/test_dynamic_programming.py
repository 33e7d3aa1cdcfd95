"""Tests of the dynamic program against enumeration."""

import numpy as np
import pytest
import tensorflow as tf

from grw_tf.losses import tensorflow_ops as ops
from grw_tf.random_walk import dynamic_programming, enumeration


def _gram(frames, scale=0.5):
    z = np.random.default_rng(frames).normal(size=(3, frames, 6), scale=scale)
    return tf.constant(z @ z.transpose(0, 2, 1))


@pytest.mark.parametrize("frames", range(4, 9))
def test_sum_and_best_equal_enumeration(frames):
    gram = _gram(frames)
    ratios = enumeration.log_ratios_of_all(ops, gram)
    np.testing.assert_allclose(
        dynamic_programming.log_ratio_of_others(ops, gram),
        tf.reduce_logsumexp(ratios, axis=1),
        rtol=1e-12,
    )
    np.testing.assert_allclose(
        dynamic_programming.log_ratio_of_others(ops, gram, best_only=True),
        tf.reduce_max(ratios, axis=1),
        rtol=1e-12,
    )


def test_gradient_equals_enumeration():
    gram = _gram(7)
    gradients = []
    for log_sum in (
        dynamic_programming.log_ratio_of_others,
        lambda *args: tf.reduce_logsumexp(enumeration.log_ratios_of_all(*args), 1),
    ):
        with tf.GradientTape() as tape:
            tape.watch(gram)
            total = tf.reduce_sum(log_sum(ops, gram))
        gradients.append(tape.gradient(total, gram))
    np.testing.assert_allclose(*gradients, atol=1e-12)
