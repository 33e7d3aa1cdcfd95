"""What the transformer heads have in common: layers, positions and clips."""

from typing import Any

import tensorflow as tf
import tf_keras

from grw_tf.layers.logits_layer import logits_layer
from grw_tf.layers.self_attention import check_heads
from grw_tf.layers.sincos_position import sincos_positions
from grw_tf.layers.transformer_block import LAYER_NORM_EPSILON, TransformerBlock


class TransformerHead(tf_keras.layers.Layer):
    """Classifies clips of embeddings with a transformer over time.

    A subclass adds `_clip_mask` and what it keeps of a stream: see `StreamingHead`.

    Args, call arguments, output shape, errors: As `TemporalTransformerHead`.
    """

    def __init__(
        self,
        num_classes: int,
        frames: int,
        depth: int,
        num_heads: int,
        mlp_dim: int,
        dropout_rate: float = 0.0,
        stochastic_depth_drop_rate: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.frames = frames
        self.depth = depth
        self.num_heads = num_heads
        self.mlp_dim = mlp_dim
        self.dropout_rate = dropout_rate
        self.stochastic_depth_drop_rate = stochastic_depth_drop_rate
        self._input_norm = tf_keras.layers.LayerNormalization(
            epsilon=LAYER_NORM_EPSILON, name="input_norm", dtype=self.dtype_policy
        )
        self._blocks = [
            TransformerBlock(
                num_heads,
                mlp_dim,
                stochastic_depth_drop_rate,
                name=f"block{index}",
                dtype=self.dtype_policy,
            )
            for index in range(depth)
        ]
        self._output_norm = tf_keras.layers.LayerNormalization(
            epsilon=LAYER_NORM_EPSILON, name="output_norm", dtype=self.dtype_policy
        )
        self._dropout = tf_keras.layers.Dropout(dropout_rate, dtype=self.dtype_policy)
        self._classifier = logits_layer(num_classes, self.compute_dtype)

    def build(self, input_shape: tf.TensorShape) -> None:
        self._channels = input_shape[-1]
        self._positions = sincos_positions(self.frames, self._channels)
        # Here, because Keras rewords errors of `call`.
        check_heads(self._channels, self.num_heads)
        super().build(input_shape)

    def call(
        self, inputs: tf.Tensor, training: bool | tf.Tensor | None = None
    ) -> tf.Tensor:
        x = self._with_positions(inputs, tf.range(inputs.shape[1]))
        for block in self._blocks:
            x, _ = block(x, mask=self._clip_mask(inputs.shape[1]), training=training)
        x = tf.reduce_mean(self._output_norm(x), axis=1)
        return self._classifier(self._dropout(x, training=training))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "frames": self.frames,
            "depth": self.depth,
            "num_heads": self.num_heads,
            "mlp_dim": self.mlp_dim,
            "dropout_rate": self.dropout_rate,
            "stochastic_depth_drop_rate": self.stochastic_depth_drop_rate,
        }

    def _with_positions(self, embeddings, positions):
        x = self._input_norm(embeddings)
        return x + tf.gather(tf.constant(self._positions, x.dtype), positions)

    def _clip_mask(self, frames: int) -> tf.Tensor | None:
        """Returns which frames of a clip each frame sees, None for all."""
        raise NotImplementedError
