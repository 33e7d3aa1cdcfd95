"""GRW smoothing of a feature map inside a network, as a Keras layer."""

from typing import Any

import tensorflow as tf
import tf_keras

from grw_tf.layers.grw_smoothing import _TensorFlowSmoothing
from grw_tf.random_walk.smoothing import IntermediateSmoothing


@tf_keras.utils.register_keras_serializable(package="grw_tf")
class IntermediateGRWSmoothing(
    _TensorFlowSmoothing, IntermediateSmoothing, tf_keras.layers.Layer
):
    """Returns its input, and while training adds the GRW loss of its frames.

    A frame's embedding is its mean over space, batch-normalized without learned scale
    and offset (at least in float32). The network's own path is untouched.

    Args:
        window: As every further argument not named here, of `GRWSmoothing`.
        momentum: Of the batch normalization's moving statistics (default 0.99).
        epsilon: Added to the batch normalization's variance (default 1e-3).
        synchronized: Whether batch statistics are taken over all replicas (default).
        **kwargs: Of `GRWSmoothing`.

    Call arguments:
        inputs: Features [batch, N, height, width, channels], N >= window.
        training: Whether the loss is added.
        new_frames: bool [batch, N], see `GRWSmoothing`.

    Input shape: [batch, N, height, width, channels].

    Output shape: as the input's.

    Raises:
        As `GRWSmoothing`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._batch_norm = tf_keras.layers.BatchNormalization(
            synchronized=self.synchronized, **self._batch_norm_arguments()
        )

    def build(self, input_shape: tf.TensorShape) -> None:
        super().build(input_shape)
        batch, frames, _, _, channels = input_shape
        with tf.name_scope(self._batch_norm.name):
            self._batch_norm.build((batch, frames, channels))
