"""GRW smoothing as a TensorFlow loss.

Goldman, Giryes, Satyanarayanan: Smooth Regularization for Efficient Video Recognition,
NeurIPS 2025, arXiv 2511.20928.
"""

import tensorflow as tf

from grw_tf.losses import tensorflow_ops as ops
from grw_tf.random_walk import terms, windows
from grw_tf.random_walk.terms import GRWTerms


def cut_windows(z: tf.Tensor, window: int) -> tf.Tensor:
    """Cuts embeddings into windows; frames after the last whole one are dropped.

    Args:
        z: Embeddings [batch, N, K].
        window: T, frames of a window.

    Returns:
        Windows [batch * floor(N / window), window, K].

    Raises:
        ValueError: If z is not of rank 3, window < 3, or N < window.
    """
    return windows.cut_windows(ops, tf.convert_to_tensor(z), window)


def grw_terms(
    z: tf.Tensor, orders: str = "auto", max_orders: int = 1000, seed: int | None = None
) -> GRWTerms:
    """Returns the terms of `grw_loss`, one value a window.

    Args, Raises: as `grw_loss`.
    """
    z = tf.convert_to_tensor(z)
    if not z.dtype.is_floating:
        raise ValueError(f"GRW windows must be floating point, got {z.dtype.name}.")
    return terms.grw_terms(ops, z, orders, max_orders, seed)


def grw_loss(
    z: tf.Tensor,
    alpha: float = 0.5,
    orders: str = "auto",
    max_orders: int = 1000,
    seed: int | None = None,
) -> tf.Tensor:
    """Returns the GRW loss of each window of embeddings.

    L(Z) = -log(f(Z) / sum_pi f(Z_pi)) + alpha * 1/2 sum_t |v_t|^2, where f is the
    density of the accelerations of Z and pi runs over the orders of its frames that
    keep the first in place.

    Args:
        z: Embeddings [windows, T, K], T >= 3, of any floating point type.
        alpha: Weight of the velocity term.
        orders: "exact" (all orders, T <= 12), "sampled" (the published estimator), or
            "auto": exact up to T = 12, sampled beyond.
        max_orders: How many orders are sampled, the true one always among them; where
            there are no more orders than that, all are taken.
        seed: Seed of the sampled orders, then the same at every call; None draws
            new ones at each call.

    Returns:
        The loss [windows], float64 where z is float64, float32 otherwise.

    Raises:
        ValueError: If z is not floating point of rank 3, T < 3, max_orders < 2, or
            orders is "exact" for T > 12.
    """
    return grw_terms(z, orders, max_orders, seed).loss(alpha)
