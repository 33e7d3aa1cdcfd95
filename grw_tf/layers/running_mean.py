"""The mean of a stream's frames, bounded however long the stream is."""

import tensorflow as tf


def running_mean(
    mean: tf.Tensor, count: tf.Tensor, inputs: tf.Tensor, most: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Takes frames into a mean.

    Args:
        mean: Of the frames so far [batch, channels].
        count: How many they are [1], int32 or of the mean's type, at most `most`.
        inputs: The next frames [batch, time, channels].
        most: Number of frames beyond which the mean forgets at rate 1 / `most`.

    Returns:
        The new mean and the new count.
    """
    time = inputs.shape[1]
    for step in range(time):
        # Not by an index, which XNNPACK does not support.
        frame = tf.squeeze(inputs[:, step : step + 1], axis=1)
        seen = tf.minimum(count + step + 1, most)
        mean += (frame - mean) / tf.cast(seen, inputs.dtype)
    return mean, tf.minimum(count + time, most)
