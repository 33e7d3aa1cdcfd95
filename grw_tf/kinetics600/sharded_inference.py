"""Computes the logits of batches of clips on all devices."""

import dataclasses

import numpy as np
import tensorflow as tf
import tf_keras


@dataclasses.dataclass(frozen=True, eq=False)
class Launched:
    """A batch that is running on the devices.

    Attributes:
        outputs: Tensors of logits, in the order of the devices.
        clips: Number of rows that are clips of the batch. The others are padding.
    """

    outputs: tuple
    clips: int

    def logits(self) -> np.ndarray:
        """Waits for the devices and returns the logits, float32 [clips, classes].

        Raises:
            ValueError: If a logit is NaN or infinite.
        """
        rows = np.concatenate([output.numpy() for output in self.outputs])
        rows = rows[: self.clips]
        if not np.isfinite(rows).all():
            raise ValueError(
                "The model gives logits that are NaN or infinite: its weights are"
                " broken, or the clips are not what it was trained on."
            )
        return rows


class ShardedInference:
    """A model on all devices of a strategy, each with its share of a batch.

    Partial batches are padded: with one batch size there is one graph, and convolutions
    are tuned once.

    Args:
        model: A model built within the scope of the strategy.
        strategy: A `tf.distribute.Strategy` of one machine.
        batch_size: Clips at once on each device.

    Attributes:
        batch_size: Clips at once on all devices.
        num_classes: Number of classes of the model.
    """

    def __init__(
        self, model: tf_keras.Model, strategy: tf.distribute.Strategy, batch_size: int
    ):
        self._strategy = strategy
        self._share = batch_size
        self.batch_size = batch_size * strategy.num_replicas_in_sync
        self.num_classes = model.config.num_classes

        def forward(clips):
            return tf.cast(model(clips, training=False), tf.float32)

        @tf.function(autograph=False)
        def run(clips):
            return strategy.run(forward, (clips,))

        self._run = run

    def launch(self, clips: np.ndarray) -> Launched:
        """Starts a batch without waiting for GPUs.

        Args:
            clips: float32 [1 to batch_size, frames, size, size, 3] in 0..1.
        """
        missing = self.batch_size - len(clips)
        full = np.concatenate([clips, np.repeat(clips[-1:], missing, axis=0)])

        def share(context):
            start = context.replica_id_in_sync_group * self._share
            return tf.constant(full[start : start + self._share])

        shares = self._strategy.experimental_distribute_values_from_function(share)
        outputs = self._strategy.experimental_local_results(self._run(shares))
        return Launched(outputs, len(clips))
