"""Measures how smoothly embeddings move over time."""

import dataclasses

import numpy as np
import tensorflow as tf

from grw_tf import losses


@dataclasses.dataclass(frozen=True)
class Smoothness:
    """Measures of embeddings that do not depend on their scale.

    Attributes:
        acceleration_ratio: Mean |acceleration| / mean |velocity| of frames' embeddings:
            0 for straight lines at a constant speed, sqrt(3) for independent noise, NaN
            for constants.
        order_accuracy: Share of windows whose true frame order is the likeliest.
    """

    acceleration_ratio: float
    order_accuracy: float


def smoothness(z: np.ndarray, window: int) -> Smoothness:
    """Measures how smoothly embeddings [clips, N, K] move, in windows of T frames.

    They are those that the GRW loss sees; with a mean or transformer head, the output
    of its affine map (the model's `embed`).

    Args:
        z: Embeddings [clips, N, K].
        window: T, the frames of a window.
    """
    velocity = np.diff(z, axis=1)
    acceleration = np.diff(velocity, axis=1)
    terms = losses.grw_terms(losses.cut_windows(z, window))
    ratio = np.divide(_mean_norm(acceleration), _mean_norm(velocity))
    return Smoothness(float(ratio), float(tf.reduce_mean(terms.order_accuracy)))


def _mean_norm(vectors):
    return np.linalg.norm(vectors, axis=-1).mean()
