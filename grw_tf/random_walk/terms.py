"""The terms of the GRW loss, one value per window."""

from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from grw_tf.random_walk import dynamic_programming, enumeration
from grw_tf.random_walk import orders as orders_lib


class GRWTerms(NamedTuple):
    """Terms of the loss, each [windows].

    Attributes:
        order: -log(f(Z) / sum_pi f(Z_pi)), how unlikely the true order is.
        velocity: 1/2 sum_t |v_t|^2.
        order_accuracy: 1 where the true order is the likeliest of all, else 0 (a tie is
            0). It has no gradient.
    """

    order: Any
    velocity: Any
    order_accuracy: Any

    def loss(self, alpha: float) -> Any:
        """Returns order + alpha * velocity [windows]."""
        return self.order + alpha * self.velocity


def grw_terms(
    ops: ModuleType,
    z: Any,
    orders: str = "auto",
    max_orders: int = 1000,
    seed: int | None = None,
) -> GRWTerms:
    """Returns the `GRWTerms` of windows z [windows, T, K].

    Args:
        ops: The array library.
        z: Embeddings [windows, T, K], floating point. Computed in float64 where z is
            float64, in float32 otherwise.
        orders: "exact" (T <= 12), "sampled", or "auto": exact where it can be.
        max_orders: How many orders are sampled, the true one always among them; where
            there are no more orders than that, all are taken.
        seed: Seed of the sampled orders, then the same at every call; None draws
            new ones at each call.

    Raises:
        ValueError: If z is not of rank 3, T not static, or as `choose_method`.
    """
    if len(z.shape) != 3 or z.shape[1] is None or z.shape[2] is None:
        raise ValueError(
            "GRW windows must have shape [windows, T, K] with T and K known, got"
            f" {tuple(z.shape)}."
        )
    method = orders_lib.choose_method(z.shape[1], orders, max_orders)
    z = ops.cast(z, "float64" if _is_float64(z) else "float32")
    # The loss does not see where a window lies, so its middle frame may become the
    # origin (which keeps the Gram matrix accurate), and needs no gradient for it.
    z = z - ops.stop_gradient(z[:, z.shape[1] // 2, None])
    gram = ops.matmul(z, ops.transpose(z, (0, 2, 1)))

    # v_t = z_{t+1} - z_t, a_t = v_{t+1} - v_t, f(Z) = prod_t N(a_t; 0, I)
    # L(Z) = -log(f(Z) / sum_pi f(Z_pi)) + alpha * 1/2 sum_t |v_t|^2
    ratio_sum, best_ratio = _others(ops, gram, method, max_orders, seed)
    order = ops.softplus(ratio_sum)
    form = ops.convert_to_tensor(
        orders_lib.velocity_form(gram.shape[-1]), dtype=gram.dtype
    )
    velocity = 0.5 * ops.sum(form * gram, axis=(1, 2))
    accuracy = ops.cast(best_ratio < 0, gram.dtype)
    return GRWTerms(order, velocity, accuracy)


def _others(ops, gram, method, max_orders, seed):
    """Returns log sum_pi and log max_pi of f(Z_pi) / f(Z), pi not the true order."""
    if method == "dynamic":
        ratio_sum = dynamic_programming.log_ratio_of_others(ops, gram)
        best = dynamic_programming.log_ratio_of_others(
            ops, ops.stop_gradient(gram), best_only=True
        )
        return ratio_sum, best
    if method == "enumerated":
        ratios = enumeration.log_ratios_of_all(ops, gram)
    else:
        orders = _draw(ops, gram.shape[-1], max_orders - 1, seed)
        ratios = enumeration.log_ratios_of(ops, gram, orders)
    best = ops.max(ops.stop_gradient(ratios), axis=1)
    return ops.logsumexp(ratios, axis=1), best


def _draw(ops, frames, count, seed):
    if seed is not None:
        orders = orders_lib.sample_orders(frames, count, seed)
        return ops.convert_to_tensor(orders, dtype="int32")
    draws = ops.random_uniform((count, frames - 1))
    rest = ops.cast(ops.argsort(draws, axis=1), "int32") + 1
    return ops.concatenate([np.zeros((count, 1), "int32"), rest], axis=1)


def _is_float64(z):
    return "float64" in str(z.dtype)
