"""What a classification head offers to streams."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import tensorflow as tf


@runtime_checkable
class StreamingHead(Protocol):
    """A head that classifies clips of embeddings, and streams of them with states.

    Attributes:
        on_demand: Whether streams get logits by `classify` alone, and none by `update`.
    """

    on_demand: bool

    def __call__(
        self, inputs: tf.Tensor, *, training: bool | tf.Tensor | None = None
    ) -> tf.Tensor:
        """Returns the logits [batch, num_classes] of clips [batch, time, channels]."""

    def state_specs(self, batch_size: int | None) -> dict[str, tf.TensorSpec]:
        """Returns the specs of a stream's states, all of which start at zero.

        Args:
            batch_size: Number of streams, or None if it is not known.
        """

    def update(
        self, inputs: tf.Tensor, states: Mapping[str, tf.Tensor]
    ) -> tuple[tf.Tensor | None, dict[str, tf.Tensor]]:
        """Takes embeddings into the states.

        Args:
            inputs: Embeddings [batch, time, channels] of the next frames.
            states: As the last `update` returned them, or zeros.

        Returns:
            The logits [batch, num_classes] after the last frame, or None if the head
            gives them on demand only; and the new states.
        """

    def classify(self, states: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Returns the logits [batch, num_classes] after the last frame.

        Args:
            states: As `update` returned them.
        """
