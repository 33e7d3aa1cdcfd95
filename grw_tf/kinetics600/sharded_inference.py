"""The logits that a model gives to batches of clips, shared among devices."""

import dataclasses

import numpy as np
import tensorflow as tf


@dataclasses.dataclass(frozen=True, eq=False)
class Launched:
    """A batch under way on the devices.

    Attributes:
        outputs: Tensors of logits, of the devices in order.
        clips: How many of the rows are clips of the batch; those beyond fill it up.
    """

    outputs: tuple
    clips: int

    def logits(self) -> np.ndarray:
        """Waits for the devices, and returns float32 [clips, classes].

        Raises:
            ValueError: If any is NaN or infinite.
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

    Batches that are not full are filled up: of one size all are one graph, which
    compiled convolutions and those of GPUs are tuned to.

    Args:
        model: Built within the strategy's scope.
        strategy: A `tf.distribute.Strategy` of one machine.
        batch_size: Clips at once on each device.

    Attributes:
        batch_size: Clips at once on all devices.
        num_classes: Of the model.
    """

    def __init__(self, model, strategy, batch_size):
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
        """Starts a batch; devices that work beside the CPU are not waited for.

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
