"""GRW smoothing as a loss on `keras.ops`."""

from typing import Any

from grw_tf.keras3 import ops
from grw_tf.random_walk import terms


def grw_loss(
    z: Any,
    alpha: float = 0.5,
    orders: str = "auto",
    max_orders: int = 1000,
    seed: int | None = None,
) -> Any:
    """Returns the GRW loss of each window, on tensors of Keras 3's backend.

    Args, shapes, Raises: as `grw_tf.losses.grw_loss`.
    """
    z = ops.convert_to_tensor(z)
    return terms.grw_terms(ops, z, orders, max_orders, seed).loss(alpha)
