"""The published GRW models' classification head."""

from collections.abc import Mapping

import tensorflow as tf
import tf_keras

from grw_tf.layers.transformer_head import TransformerHead


@tf_keras.utils.register_keras_serializable(package="grw_tf")
class TemporalTransformerHead(TransformerHead):
    """Classifies per-frame embeddings with a transformer over time.

    LayerNorm, plus sine-cosine positions, `depth` blocks in which every frame sees
    every frame, LayerNorm, mean over frames, dropout, Dense(num_classes).

    In a stream it classifies the last `frames` embeddings, kept as a state, at any
    moment: `update` takes new ones in (cheap), `classify` looks at what is kept. Before
    `frames` frames have come it looks at those that have.

    Args:
        num_classes: Number of classes.
        frames: Most frames it sees at once.
        depth: Number of blocks.
        num_heads: Attention heads, dividing the channels.
        mlp_dim: Hidden channels of each block.
        dropout_rate: Before the last dense layer.
        stochastic_depth_drop_rate: Of each block's branches.
        **kwargs: Of `tf_keras.layers.Layer`.

    Call arguments:
        inputs: Embeddings [batch, time, channels], time <= frames.
        training: Whether dropout acts.

    Output shape: logits [batch, num_classes], float32 under mixed precision.

    Raises:
        ValueError: If the channels are odd or num_heads does not divide them.

    Reference: Goldman et al., NeurIPS 2025, arXiv 2511.20928.
    """

    on_demand = True

    def state_specs(self, batch_size: int | None) -> dict[str, tf.TensorSpec]:
        """Returns the stream's states as a dict of `tf.TensorSpec`s, all from zero.

        `embeddings` [batch, frames, channels], the newest last, and `frame_count` [1],
        which stops at `frames`.

        Args:
            batch_size: Number of streams, or None if it is not known.
        """
        shape = (batch_size, self.frames, self._channels)
        return {
            "embeddings": tf.TensorSpec(shape, self.compute_dtype),
            "frame_count": tf.TensorSpec((1,), tf.int32),
        }

    def update(
        self, inputs: tf.Tensor, states: Mapping[str, tf.Tensor]
    ) -> tuple[None, dict[str, tf.Tensor]]:
        """Takes embeddings into the states.

        Args:
            inputs: Embeddings [batch, time, channels] of the next frames.
            states: As the last `update` returned them, or zeros.

        Returns:
            (None, states): this head gives logits on demand, by `classify`.
        """
        kept = tf.concat([states["embeddings"], inputs], axis=1)[:, -self.frames :]
        count = tf.minimum(states["frame_count"] + inputs.shape[1], self.frames)
        return None, {"embeddings": kept, "frame_count": count}

    def classify(self, states: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Returns the logits [batch, num_classes] of the frames kept in the states.

        Args:
            states: As `update` returned them, of a stream that has seen a frame.
        """
        count = states["frame_count"]
        # Exports for GPUs count in floats. The positions are a row, because GPU
        # delegates take a vector's only axis for the batch.
        numbers = tf.cast(tf.range(self.frames), count.dtype)[None]
        positions = numbers - (self.frames - count)
        seen = positions >= 0
        indices = tf.reshape(tf.cast(tf.maximum(positions, 0), tf.int32), (-1,))
        x = self._with_positions(states["embeddings"], indices)
        for block in self._blocks:
            x, _ = block(x, mask=seen)
        x = self._output_norm(x)
        x = tf.reduce_sum(x * tf.cast(seen, x.dtype)[..., None], axis=1)
        return self._classifier(x / tf.cast(count, x.dtype))

    def _clip_mask(self, frames):
        del frames
        return None
