"""Tests of the benchmark's rivals: they must compute the same loss."""

import numpy as np

from grw_tf.losses import grw_loss
from grw_tf.random_walk import orders as orders_lib
from scripts import benchmark_grw_loss as benchmark


def test_gathered_form_gives_the_same_loss():
    z = benchmark.make_input((4, 6, 16))
    literal = benchmark.gathered_loss(z, orders_lib.enumerate_orders(6))
    np.testing.assert_allclose(grw_loss(z), literal, rtol=1e-5)


def test_every_form_gives_loss_and_gradient():
    z = benchmark.make_input((2, 8, 4))
    for form in benchmark.forms_of(8):
        loss, gradient = benchmark.make_step(form, z)()
        assert np.isfinite(loss) and gradient.shape == z.shape
