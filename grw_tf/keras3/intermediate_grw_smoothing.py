"""`grw_tf.layers.IntermediateGRWSmoothing` for Keras 3."""

from collections.abc import Sequence
from typing import Any

import keras

from grw_tf.keras3.grw_smoothing import _Keras3Smoothing
from grw_tf.random_walk.smoothing import IntermediateSmoothing


@keras.saving.register_keras_serializable(package="grw_tf")
class IntermediateGRWSmoothing(
    _Keras3Smoothing, IntermediateSmoothing, keras.layers.Layer
):
    """Returns its input, and while training adds the GRW loss of its frames.

    Shapes, metrics and errors are those of `grw_tf.layers.IntermediateGRWSmoothing`.

    Args:
        window, momentum, epsilon: See `grw_tf.layers.IntermediateGRWSmoothing`.
        synchronized: Whether batch statistics are taken over all replicas. Only the
            TensorFlow backend does so, as in Keras' own batch normalization.
        **kwargs: Arguments of `GRWSmoothing`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        on_tensorflow = keras.backend.backend() == "tensorflow"
        self._batch_norm = keras.layers.BatchNormalization(
            synchronized=self.synchronized and on_tensorflow,
            **self._batch_norm_arguments(),
        )

    def build(self, input_shape: Sequence[int | None]) -> None:
        super().build(input_shape)
        batch, frames, _, _, channels = input_shape
        self._batch_norm.build((batch, frames, channels))
