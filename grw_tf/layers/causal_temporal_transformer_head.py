"""A classification head that gives logits at every frame of a stream."""

from collections.abc import Mapping

import tensorflow as tf
import tf_keras

from grw_tf.layers.running_mean import running_mean
from grw_tf.layers.transformer_head import TransformerHead


@tf_keras.utils.register_keras_serializable(package="grw_tf")
class CausalTemporalTransformerHead(TransformerHead):
    """`TemporalTransformerHead` in which a frame sees itself and earlier frames only.

    A stream so keeps each block's keys and values and the mean over frames, pays for
    one frame at a time, and gives the logits that a clip ending there would get.

    Beyond `frames` frames all stays bounded: a frame sees the last `frames` frames,
    positions stay at the last one, and the running mean forgets at rate 1 / `frames`.

    Args, call arguments, output shape, errors: as `TemporalTransformerHead`.
    """

    on_demand = False

    def state_specs(self, batch_size: int | None) -> dict[str, tf.TensorSpec]:
        """Returns the stream's states as a dict of `tf.TensorSpec`s, all from zero.

        Each block's `key` and `value` [batch, frames - 1, channels], the newest last,
        the running `mean` [batch, channels], and `frame_count` [1], which stops at
        `frames`.

        Args:
            batch_size: Number of streams, or None if it is not known.
        """
        past = tf.TensorSpec(
            (batch_size, self.frames - 1, self._channels), self.compute_dtype
        )
        return {
            **{
                f"block{index}_{kind}": past
                for index in range(self.depth)
                for kind in ("key", "value")
            },
            "mean": tf.TensorSpec((batch_size, self._channels), self.compute_dtype),
            "frame_count": tf.TensorSpec((1,), tf.int32),
        }

    def update(
        self, inputs: tf.Tensor, states: Mapping[str, tf.Tensor]
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Takes embeddings into the states.

        Args:
            inputs: Embeddings [batch, time, channels] of the next frames.
            states: As the last `update` returned them, or zeros.

        Returns:
            (logits [batch, num_classes] after the last of them, states).
        """
        time = inputs.shape[1]
        count = states["frame_count"]
        # Exports for GPUs count in floats.
        steps = tf.cast(tf.range(time), count.dtype)
        positions = tf.minimum(count + steps, self.frames - 1)
        x = self._with_positions(inputs, tf.cast(positions, tf.int32))

        # Keys are the past ones, then the inputs'; step i's own is number past + i.
        past = self.frames - 1
        # In rows, because GPU delegates take a vector's only axis for the batch.
        keys = tf.cast(tf.range(past + time), count.dtype)[None]
        have_come = keys >= past - count
        last_frames = (keys >= steps[:, None]) & (keys <= past + steps[:, None])
        mask = have_come & last_frames
        new_states: dict[str, tf.Tensor] = {}
        for index, block in enumerate(self._blocks):
            names = f"block{index}_key", f"block{index}_value"
            x, kept = block(x, mask=mask, past=[states[name] for name in names])
            new_states |= {
                name: tensor[:, time:] for name, tensor in zip(names, kept, strict=True)
            }

        x = self._output_norm(x)
        mean, count = running_mean(states["mean"], count, x, self.frames)
        new_states |= {"mean": mean, "frame_count": count}
        return self._classifier(mean), new_states

    def classify(self, states: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Returns the logits [batch, num_classes] after the last frame.

        Args:
            states: As `update` returned them.
        """
        return self._classifier(states["mean"])

    def _clip_mask(self, frames):
        return tf.linalg.band_part(tf.ones((frames, frames), tf.bool), -1, 0)
