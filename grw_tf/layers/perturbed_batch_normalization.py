"""A batch normalization that something can come before, without a place of its own."""

from typing import Any

import tensorflow as tf
import tf_keras


@tf_keras.utils.register_keras_serializable(package="grw_tf")
class PerturbedBatchNormalization(tf_keras.layers.BatchNormalization):
    """Keras' batch normalization, of what a layer without variables makes of its input.

    It has the variables of Keras' under the same names, so that networks built with it
    read and write the same checkpoints.

    Attributes:
        before: The layer that its input goes through first, or None.

    Args, call arguments, output shape: as `tf_keras.layers.BatchNormalization`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.before = None

    def call(
        self, inputs: tf.Tensor, training: bool | tf.Tensor | None = None
    ) -> tf.Tensor:
        if self.before is not None:
            inputs = self.before(inputs, training=training)
        return super().call(inputs, training=training)
