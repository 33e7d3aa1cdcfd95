"""Multi-head self-attention whose keys and values can be kept between calls."""

from typing import Any

import tensorflow as tf
import tf_keras

MASKED = -1e4


@tf_keras.utils.register_keras_serializable(package="grw_tf")
class SelfAttention(tf_keras.layers.Layer):
    """Multi-head attention over time, scaled by 1/sqrt(channels per head).

    Args:
        num_heads: Heads, dividing the channels.
        **kwargs: Of `tf_keras.layers.Layer`.

    Call arguments:
        inputs: Queries [batch, time, channels].
        mask: bool, broadcastable to [batch, heads, time, past + time]: which keys a
            query sees. None: all.
        past: (keys, values), each [batch, past, channels], that come before the
            inputs'.

    Returns:
        The output [batch, time, channels] and the keys and values [batch, past + time,
        channels], past ones included.

    Raises:
        ValueError: If num_heads does not divide the channels.
    """

    def __init__(self, num_heads: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads

    def build(self, input_shape: tf.TensorShape) -> None:
        channels = input_shape[-1]
        check_heads(channels, self.num_heads)
        for name in ("query", "key", "value", "output"):
            dense = tf_keras.layers.Dense(channels, name=name, dtype=self.dtype_policy)
            setattr(self, f"_{name}_dense", dense)
        super().build(input_shape)

    def call(
        self,
        inputs: tf.Tensor,
        mask: tf.Tensor | None = None,
        past: tuple[tf.Tensor, tf.Tensor] | None = None,
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor]]:
        query = self._query_dense(inputs)
        key = self._key_dense(inputs)
        value = self._value_dense(inputs)
        if past is not None:
            key = tf.concat([past[0], key], axis=1)
            value = tf.concat([past[1], value], axis=1)

        head_channels = inputs.shape[-1] // self.num_heads
        scores = tf.matmul(
            self._split(query) * head_channels**-0.5,
            self._split(key),
            transpose_b=True,
        )
        if mask is not None:
            # Not by ~, which GPU delegates do not list.
            scores += MASKED * (1.0 - tf.cast(mask, scores.dtype))
        weights = tf.nn.softmax(scores, axis=-1)
        mixed = tf.transpose(tf.matmul(weights, self._split(value)), (0, 2, 1, 3))
        mixed = tf.reshape(mixed, (-1, inputs.shape[1], inputs.shape[2]))
        return self._output_dense(mixed), (key, value)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_heads": self.num_heads}

    def _split(self, x):
        heads = (-1, x.shape[1], self.num_heads, x.shape[2] // self.num_heads)
        return tf.transpose(tf.reshape(x, heads), (0, 2, 1, 3))


def check_heads(channels: int, num_heads: int) -> None:
    """Raises a ValueError if num_heads does not divide the channels."""
    if channels % num_heads:
        raise ValueError(
            f"num_heads must divide embed_dim, got embed_dim={channels} and"
            f" num_heads={num_heads}."
        )
