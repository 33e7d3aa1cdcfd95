"""A classification head on the mean over time."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tf_keras
from official.modeling import tf_utils

from grw_tf.layers.logits_layer import logits_layer
from grw_tf.layers.running_mean import running_mean


@tf_keras.utils.register_keras_serializable(package="grw_tf")
class MeanHead(tf_keras.layers.Layer):
    """Classifies the mean of per-frame features.

    Mean over frames, a hidden layer if there is one, dropout, Dense(num_classes).

    In a stream it keeps the mean and gives the logits of all frames up to each. Beyond
    `frames` frames the mean forgets at rate 1 / `frames`.

    Args:
        num_classes: Number of classes.
        frames: Of a clip.
        hidden_dim: Channels of the hidden layer; 0 for none.
        activation: Of the hidden layer, by name.
        dropout_rate: Before the last dense layer.
        **kwargs: Of `tf_keras.layers.Layer`.

    Call arguments:
        inputs: Features [batch, time, channels].
        training: Whether dropout acts.

    Output shape: logits [batch, num_classes], float32 under mixed precision.

    Reference: the Model Garden's video classification model; with a hidden layer,
    Howard et al., Searching for MobileNetV3, ICCV 2019.
    """

    on_demand = False

    def __init__(
        self,
        num_classes: int,
        frames: int,
        hidden_dim: int = 0,
        activation: str = "hard_swish",
        dropout_rate: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.frames = frames
        self.hidden_dim = hidden_dim
        self.activation = activation
        self.dropout_rate = dropout_rate
        self._hidden = None
        if hidden_dim:
            self._hidden = tf_keras.layers.Dense(
                hidden_dim,
                tf_utils.get_activation(activation),
                name="hidden",
                dtype=self.dtype_policy,
            )
        self._dropout = tf_keras.layers.Dropout(dropout_rate, dtype=self.dtype_policy)
        self._classifier = logits_layer(num_classes, self.compute_dtype)

    def build(self, input_shape: tf.TensorShape) -> None:
        self._channels = input_shape[-1]
        super().build(input_shape)

    def call(
        self, inputs: tf.Tensor, training: bool | tf.Tensor | None = None
    ) -> tf.Tensor:
        return self._classify(tf.reduce_mean(inputs, axis=1), training)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "frames": self.frames,
            "hidden_dim": self.hidden_dim,
            "activation": self.activation,
            "dropout_rate": self.dropout_rate,
        }

    def state_specs(self, batch_size: int | None) -> dict[str, tf.TensorSpec]:
        """Returns the stream's states as a dict of `tf.TensorSpec`s, all from zero.

        `mean` [batch, channels] of the frames, and `frame_count` [1], which stops at
        `frames`.

        Args:
            batch_size: Number of streams, or None if it is not known.
        """
        return {
            "mean": tf.TensorSpec((batch_size, self._channels), self.compute_dtype),
            "frame_count": tf.TensorSpec((1,), tf.int32),
        }

    def update(
        self, inputs: tf.Tensor, states: Mapping[str, tf.Tensor]
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Takes features into the states.

        Args:
            inputs: Features [batch, time, channels] of the next frames.
            states: As the last `update` returned them, or zeros.

        Returns:
            (logits [batch, num_classes] after the last of them, states).
        """
        mean, count = running_mean(
            states["mean"], states["frame_count"], inputs, self.frames
        )
        return self._classify(mean), {"mean": mean, "frame_count": count}

    def classify(self, states: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Returns the logits [batch, num_classes] after the last frame.

        Args:
            states: As `update` returned them.
        """
        return self._classify(states["mean"])

    def _classify(self, x, training=None):
        if self._hidden is not None:
            x = self._hidden(x)
        return self._classifier(self._dropout(x, training=training))
