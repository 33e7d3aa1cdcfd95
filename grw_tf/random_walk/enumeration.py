"""Log densities of given orders, from the Gram matrix alone.

f(Z_pi) depends on Z only through G = Z Z^T: log f(Z_pi) = -1/2 <M_pi, G>, where M_pi is
the quadratic form Q of the accelerations with its rows and columns carried along pi.
All orders together are one product with a constant [T*T, orders] matrix, and no
permuted copy of Z is ever made.
"""

import functools
from types import ModuleType
from typing import Any

import numpy as np

from grw_tf.random_walk import orders as orders_lib

NEVER = -1e30
"""A log density so low that its order does not count, yet finite."""


@functools.cache
def _all_other_orders(frames):
    form = orders_lib.acceleration_form(frames)
    places = np.argsort(orders_lib.enumerate_orders(frames)[1:], axis=1)
    moved = form[places[:, :, None], places[:, None, :]]
    return (-0.5 * (moved - form)).reshape(len(places), -1).T


def log_ratios_of_all(ops: ModuleType, gram: Any) -> Any:
    """Returns log f(Z_pi) / f(Z) [windows, (T-1)! - 1] of all but the true order."""
    frames = gram.shape[-1]
    flat = ops.reshape(gram, (-1, frames * frames))
    forms = ops.convert_to_tensor(_all_other_orders(frames), dtype=gram.dtype)
    return ops.matmul(flat, forms)


def log_ratios_of(ops: ModuleType, gram: Any, orders: Any) -> Any:
    """Returns log f(Z_pi) / f(Z) [windows, orders] of orders [orders, T].

    Where pi is the true order the ratio is `NEVER`: that order is counted apart, once.
    """
    frames = gram.shape[-1]
    form = ops.convert_to_tensor(
        orders_lib.acceleration_form(frames).reshape(-1), dtype=gram.dtype
    )
    places = ops.argsort(orders, axis=1)
    moved = ops.take(form, places[:, :, None] * frames + places[:, None, :], axis=0)
    forms = -0.5 * (ops.reshape(moved, (-1, frames * frames)) - form)
    flat = ops.reshape(gram, (-1, frames * frames))
    ratios = ops.matmul(flat, ops.transpose(forms))
    # Only the true order leaves the form as it is (reversal would move frame 0).
    in_place = ops.convert_to_tensor(np.arange(frames), dtype="int32")
    moved_at_all = ops.any(ops.cast(places, "int32") != in_place, axis=1)
    return ops.where(moved_at_all[None, :], ratios, NEVER)
