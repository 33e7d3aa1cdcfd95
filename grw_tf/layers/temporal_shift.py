"""A shift of some channels to the next frame."""

from typing import Any

import tensorflow as tf
import tf_keras


@tf_keras.utils.register_keras_serializable(package="grw_tf")
class TemporalShift(tf_keras.layers.Layer):
    """Gives each frame some channels of the frame before, in place of its own.

    So the 2-D convolution that follows sees two frames, at no cost. A frame sees
    earlier ones alone.

    Args:
        fraction: One of how many channels moves.
        **kwargs: Of `tf_keras.layers.Layer`.

    Call arguments:
        inputs: Frames of clips one after another [batch * time, height, width,
            channels].
        past: The channels that moved of the frame before each clip [batch, height,
            width, channels // fraction], zeros at a stream's start.

    Output shape: (the input's, the past's): the shifted frames, and the channels of
      the last frame of each clip.

    Reference: Lin et al., TSM: Temporal Shift Module for Efficient Video Understanding,
    ICCV 2019, section 3.3 (online).
    """

    def __init__(self, fraction: int = 8, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fraction = fraction

    def call(self, inputs: tf.Tensor, past: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        moving = inputs.shape[-1] // self.fraction
        own = inputs[..., :moving]
        if past.shape[0] == 1:
            # Devices want four axes.
            whole = tf.concat([past, own], axis=0)
            shifted, last = whole[:-1], whole[-1:]
        else:
            shape = tf.concat([tf.shape(past)[:1], [-1], tf.shape(past)[1:]], axis=0)
            whole = tf.concat([past[:, None], tf.reshape(own, shape)], axis=1)
            shifted, last = tf.reshape(whole[:, :-1], tf.shape(own)), whole[:, -1]
        shifted = tf.ensure_shape(shifted, own.shape)
        last = tf.ensure_shape(last, past.shape)
        return tf.concat([shifted, inputs[..., moving:]], axis=-1), last

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "fraction": self.fraction}
