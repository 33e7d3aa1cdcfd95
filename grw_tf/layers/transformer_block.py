"""A pre-norm transformer block over time."""

import math
from typing import Any

import tensorflow as tf
import tf_keras

from grw_tf.layers.self_attention import SelfAttention
from grw_tf.layers.stochastic_depth import StochasticDepth

LAYER_NORM_EPSILON = 1e-5
"""PyTorch's, in every LayerNorm here; Keras' 1e-3 moves published logits by 8e-4."""


def exact_gelu(x: tf.Tensor) -> tf.Tensor:
    """Returns x Phi(x), by erf.

    In float32 it is `tf.nn.gelu`, which in float64 too takes a float32 square root of 2
    and so errs by 5e-9.
    """
    return 0.5 * x * (1.0 + tf.math.erf(x / tf.constant(math.sqrt(2.0), x.dtype)))


@tf_keras.utils.register_keras_serializable(package="grw_tf")
class TransformerBlock(tf_keras.layers.Layer):
    """x + attention(norm(x)), then x + Dense(gelu(Dense(norm(x)))), with exact GELU.

    Args:
        num_heads: Of the attention.
        mlp_dim: Channels of the hidden dense layer.
        stochastic_depth_drop_rate: How often a clip skips either branch in training.
        **kwargs: Of `tf_keras.layers.Layer`.

    Call arguments:
        inputs: [batch, time, channels].
        mask, past: Of `SelfAttention`.
        training: Whether stochastic depth acts.

    Returns:
        The output [batch, time, channels] and the attention's keys and values.
    """

    def __init__(
        self,
        num_heads: int,
        mlp_dim: int,
        stochastic_depth_drop_rate: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.mlp_dim = mlp_dim
        self.stochastic_depth_drop_rate = stochastic_depth_drop_rate
        self._attention_norm = tf_keras.layers.LayerNormalization(
            epsilon=LAYER_NORM_EPSILON, name="attention_norm", dtype=self.dtype_policy
        )
        self._attention = SelfAttention(
            num_heads, name="attention", dtype=self.dtype_policy
        )
        self._mlp_norm = tf_keras.layers.LayerNormalization(
            epsilon=LAYER_NORM_EPSILON, name="mlp_norm", dtype=self.dtype_policy
        )
        self._mlp_hidden = tf_keras.layers.Dense(
            mlp_dim, activation=exact_gelu, name="mlp_hidden", dtype=self.dtype_policy
        )
        self._attention_depth, self._mlp_depth = (
            StochasticDepth(stochastic_depth_drop_rate, dtype=self.dtype_policy)
            for _ in range(2)
        )

    def build(self, input_shape: tf.TensorShape) -> None:
        self._mlp_output = tf_keras.layers.Dense(
            input_shape[-1], name="mlp_output", dtype=self.dtype_policy
        )
        super().build(input_shape)

    def call(
        self,
        inputs: tf.Tensor,
        mask: tf.Tensor | None = None,
        past: tuple[tf.Tensor, tf.Tensor] | None = None,
        training: bool | tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor]]:
        attended, kept = self._attention(
            self._attention_norm(inputs), mask=mask, past=past
        )
        x = inputs + self._attention_depth(attended, training=training)
        hidden = self._mlp_hidden(self._mlp_norm(x))
        x += self._mlp_depth(self._mlp_output(hidden), training=training)
        return x, kept

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "mlp_dim": self.mlp_dim,
            "stochastic_depth_drop_rate": self.stochastic_depth_drop_rate,
        }
