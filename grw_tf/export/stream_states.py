"""Input and output states of one step of a stream."""

from collections.abc import Mapping, Sequence

import tensorflow as tf


class StreamStates:
    """Gives states and collects their successors.

    Args:
        given: Tensors by name; None to find out which states are needed, all zero.
        count_dtype: Type of counts.

    Attributes:
        count_dtype: Type of counts.
        specs: `tf.TensorSpec`s of the states asked for so far, by name.
        new: Their successors by name.
    """

    def __init__(
        self,
        given: Mapping[str, tf.Tensor] | None = None,
        count_dtype: tf.DType = tf.int32,
    ) -> None:
        self._given = given
        self.count_dtype = count_dtype
        self.specs: dict[str, tf.TensorSpec] = {}
        self.new: dict[str, tf.Tensor] = {}

    def get(
        self, name: str, shape: Sequence[int], dtype: tf.DType = tf.float32
    ) -> tf.Tensor:
        """Returns a state."""
        self.specs[name] = tf.TensorSpec(shape, dtype)
        return tf.zeros(shape, dtype) if self._given is None else self._given[name]
