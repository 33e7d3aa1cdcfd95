"""Neighbors in time of a clip's frames that take the place of the batch."""

import tensorflow as tf


def at_offset(x: tf.Tensor, offset: int) -> tf.Tensor:
    """Returns for each frame t the frame t + offset, zeros beyond the clip.

    Args:
        x: [frames, height, width, channels].
        offset: Of either sign.
    """
    count = x.shape[0]
    if offset == 0:
        return x
    if abs(offset) >= count:
        return tf.zeros_like(x)
    kept = x[max(offset, 0) : count + min(offset, 0)]
    return tf.pad(kept, [[max(-offset, 0), max(offset, 0)], *[[0, 0]] * 3])


def every(x: tf.Tensor, stride: int) -> tf.Tensor:
    """Returns the first of each `stride` frames.

    XNNPACK has slices without strides alone, so frames are put into one as rows.

    Args:
        x: [frames, height, width, channels].
        stride: Frames from one to the next.
    """
    if stride == 1:
        return x
    count, height, width, channels = x.shape
    steps = -(-count // stride)
    x = tf.pad(x, [[0, steps * stride - count], *[[0, 0]] * 3])
    rows = tf.reshape(x, (steps, stride * height, width, channels))
    return rows[:, :height]


def offsets(count: int) -> range:
    """Returns the offsets in time of a kernel of `count` frames with padding "same"."""
    before = (count - 1) // 2
    return range(-before, count - before)
