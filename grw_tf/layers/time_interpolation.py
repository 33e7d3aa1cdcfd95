"""Features at a higher frame rate, by linear interpolation."""

from typing import Any

import tensorflow as tf
import tf_keras


@tf_keras.utils.register_keras_serializable(package="grw_tf")
class TimeInterpolation(tf_keras.layers.Layer):
    """Interpolates features linearly to a multiple of their frame rate.

    The mean over time stays the same: frames lie in the middle of the frames that they
    become, and those before the first and after the last are copies.

    Args:
        factor: How many frames one becomes.
        **kwargs: Of `tf_keras.layers.Layer`.

    Call arguments:
        inputs: [batch, time, height, width, channels].

    Output shape: [batch, factor * time, height, width, channels].
    """

    def __init__(self, factor: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        _, time, height, width, channels = inputs.shape
        rows = tf.reshape(inputs, (-1, time, height * width, channels))
        # It rounds at least in float32.
        resized = tf.image.resize(rows, (self.factor * time, height * width))
        whole = (-1, self.factor * time, height, width, channels)
        return tf.cast(tf.reshape(resized, whole), inputs.dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor}
