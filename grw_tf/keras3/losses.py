"""GRW smoothing as a loss on `keras.ops`."""

from grw_tf.keras3 import ops
from grw_tf.random_walk import terms


def grw_loss(z, alpha=0.5, orders="auto", max_orders=1000, seed=None):
    """Returns the GRW loss of each window, on tensors of Keras 3's backend.

    Args:
        z: Embeddings [windows, T, K], T >= 3.
        alpha, orders, max_orders, seed: See `grw_tf.losses.grw_loss`.

    Returns, Raises: as `grw_tf.losses.grw_loss`.
    """
    z = ops.convert_to_tensor(z)
    return terms.grw_terms(ops, z, orders, max_orders, seed).loss(alpha)
