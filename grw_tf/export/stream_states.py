"""The states of one step of a stream: what comes in, and what goes out."""

from collections.abc import Mapping, Sequence

import tensorflow as tf


class StreamStates:
    """Hands out states and takes their successors.

    Args:
        given: Tensors by name; None to find out which states there are, all zero.

    Attributes:
        specs: `tf.TensorSpec`s by name of the states asked for so far.
        new: Their successors by name.
    """

    def __init__(self, given: Mapping[str, tf.Tensor] | None = None) -> None:
        self._given = given
        self.specs = {}
        self.new = {}

    def get(
        self, name: str, shape: Sequence[int], dtype: tf.DType = tf.float32
    ) -> tf.Tensor:
        """Returns a state."""
        self.specs[name] = tf.TensorSpec(shape, dtype)
        return tf.zeros(shape, dtype) if self._given is None else self._given[name]
