"""The states of one step of a stream: what comes in, and what goes out."""

import tensorflow as tf


class StreamStates:
    """Hands out states and takes their successors.

    Args:
        given: Tensors by name; None to find out which states there are, all zero.

    Attributes:
        specs: `tf.TensorSpec`s by name of the states asked for so far.
        new: Their successors by name.
    """

    def __init__(self, given=None):
        self._given = given
        self.specs = {}
        self.new = {}

    def get(self, name, shape, dtype=tf.float32):
        """Returns a state."""
        self.specs[name] = tf.TensorSpec(shape, dtype)
        return tf.zeros(shape, dtype) if self._given is None else self._given[name]
