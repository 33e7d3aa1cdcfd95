"""A batch normalization that layers can come before and after, without variables."""

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
        after: The layer that its output goes through, or None.

    Args, call arguments, output shape: as `tf_keras.layers.BatchNormalization`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.before = None
        self.after = None

    def call(
        self, inputs: tf.Tensor, training: bool | tf.Tensor | None = None
    ) -> tf.Tensor:
        if self.before is not None:
            inputs = self.before(inputs, training=training)
        outputs = super().call(inputs, training=training)
        if self.after is not None:
            outputs = self.after(outputs, training=training)
        return outputs
