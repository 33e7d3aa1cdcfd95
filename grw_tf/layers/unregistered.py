"""What stands for a layer whose class is not at hand."""

from typing import Any

import tensorflow as tf
import tf_keras


@tf_keras.utils.register_keras_serializable(package="grw_tf")
class Unregistered(tf_keras.layers.Layer):
    """Returns its input at inference, as regularizers do, and refuses to train.

    So a model can be evaluated and exported without the code of a regularizer that it
    was trained with, and is never trained without it.

    Args:
        wanted: Name of the class that is missing.
        **kwargs: Of `tf_keras.layers.Layer`.

    Call arguments:
        inputs: Any tensor.
        training: Whether it is asked to act.

    Output shape: as the input's.

    Raises:
        ValueError: When called in training.
    """

    def __init__(self, wanted: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.wanted = wanted

    def call(
        self, inputs: tf.Tensor, training: bool | tf.Tensor | None = None
    ) -> tf.Tensor:
        if training:
            raise ValueError(
                f"No layer {self.wanted!r:.80} is registered with Keras, and the model"
                " is to be trained with it: import the module of its class, as in"
                " docs/extending.md."
            )
        return inputs

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "wanted": self.wanted}
