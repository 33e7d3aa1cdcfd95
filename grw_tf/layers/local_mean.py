"""The local mean of a feature map, in space and time."""

import math

import tensorflow as tf


def local_mean(
    x: tf.Tensor, kernel_size: int = 3, std: float | None = None, causal: bool = False
) -> tf.Tensor:
    """Returns the weighted mean over each position's window (equation 1).

    At borders only neighbors that exist count: the weights are those of the window
    divided by their sum over such neighbors.

    It is a product with a banded matrix along each axis, in float32 at least (on GPUs
    in TF32 by default, as convolutions): depthwise convolutions would do as well, but
    take 30 times as long under XLA on CPUs. A value that is infinite or NaN so spreads
    beyond its windows.

    Args:
        x: [batch, time, height, width, channels] or [batch, height, width, channels].
        kernel_size: Positions of the window along each axis, odd.
        std: Standard deviation in positions of a Gaussian filter, whose weights are
            exp(-distance^2 / (2 std^2)); None weighs all neighbors alike.
        causal: Whether the window in time is a frame and the kernel_size - 1 before it
            (for a Gaussian filter the half with these distances) rather than centered.

    Returns:
        The mean, of x's shape and dtype.

    Raises:
        ValueError: For x of another rank.

    Reference: Kim et al., Regularization on Spatio-Temporally Smoothed Feature for
    Action Recognition, CVPR 2020.
    """
    if x.shape.rank not in (4, 5):
        raise ValueError(
            "Local means take [batch, time, height, width, channels] or "
            f"[batch, height, width, channels], got shape {x.shape}."
        )
    mean = x if x.dtype == tf.float64 else tf.cast(x, tf.float32)
    shape = tf.shape(x)
    for axis in range(1, x.shape.rank - 1):
        past_only = causal and x.shape.rank == 5 and axis == 1
        reach = kernel_size if past_only else kernel_size // 2 + 1
        weights = [_weight(distance, std) for distance in range(reach)]
        matrix = _averages(shape[axis], weights, past_only, mean.dtype)
        rows = [tf.reduce_prod(shape[:axis]), shape[axis], -1]
        mean = tf.matmul(matrix, tf.reshape(mean, rows))
    return tf.ensure_shape(tf.cast(tf.reshape(mean, shape), x.dtype), x.shape)


def _weight(distance, std):
    if std is None:
        return 1.0
    # A power would raise an error for tiny deviations, where this is infinite.
    return math.exp(-0.5 * (distance / std) * (distance / std))


def _averages(length, weights, past_only, dtype):
    """Returns [length, length], in each row what a position takes of all positions.

    Args:
        length: Of the axis.
        weights: By distance, 0 beyond.
        past_only: Whether later positions have no weight.
        dtype: Of the result.
    """
    position = tf.range(length)
    distance = position[:, None] - position
    if not past_only:
        distance = tf.abs(distance)
    reach = len(weights)
    outside = (distance < 0) | (distance >= reach)
    taken = tf.gather(
        tf.constant([*weights, 0.0], dtype), tf.where(outside, reach, distance)
    )
    return taken / tf.reduce_sum(taken, axis=1, keepdims=True)
