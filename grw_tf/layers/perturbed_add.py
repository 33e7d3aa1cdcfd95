"""A sum whose second term something can act on, without a place of its own."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras


@tf_keras.utils.register_keras_serializable(package="grw_tf")
class PerturbedAdd(tf_keras.layers.Add):
    """Keras' sum of a shortcut and a residual branch, the branch perturbed.

    Attributes:
        branch: The layer that the branch, the last input, goes through, or None.

    Args, call arguments, output shape: as `tf_keras.layers.Add`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.branch = None

    def call(
        self, inputs: Sequence[tf.Tensor], training: bool | tf.Tensor | None = None
    ) -> tf.Tensor:
        if self.branch is not None:
            *shortcuts, branch = inputs
            inputs = [*shortcuts, self.branch(branch, training=training)]
        return super().call(inputs)
