"""Lets a layer of clips act on features whose axes were folded together."""

from typing import Any

import tensorflow as tf
import tf_keras

FOLDS = ("time", "space")


@tf_keras.utils.register_keras_serializable(package="grw_tf")
class Unfolded(tf_keras.layers.Layer):
    """Gives folded features to a layer as [batch, time, height, width, channels].

    So the Model Garden's 2-D convolutions fold them to see frames one by one, and
    rows of pixels over time.

    Args:
        layer: The layer. Where its `acts(training)`, if it has one, says that it does
            not act, nothing is done; without one it acts in training alone.
        fold: "time" for [batch * time, height, width, channels], "space" for [batch,
            time, height * width, channels] of square frames.
        frames: Time, of "time".
        **kwargs: Of `tf_keras.layers.Layer`.

    Call arguments:
        inputs: As `fold` says.
        training: Given to the layer.

    Output shape: as the input's.
    """

    def __init__(
        self, layer: tf_keras.layers.Layer, fold: str, frames: int, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if fold not in FOLDS:
            raise ValueError(f"Unknown fold {fold!r}; known: {', '.join(FOLDS)}.")
        self.layer = layer
        self.fold = fold
        self.frames = frames

    def call(
        self, inputs: tf.Tensor, training: bool | tf.Tensor | None = None
    ) -> tf.Tensor:
        if not getattr(self.layer, "acts", _in_training)(training):
            return inputs
        shape = tf.shape(inputs)
        channels = inputs.shape[-1]
        if self.fold == "time":
            whole = (-1, self.frames, shape[1], shape[2], channels)
        else:
            side = tf.cast(tf.round(tf.sqrt(tf.cast(shape[2], tf.float32))), tf.int32)
            whole = (shape[0], shape[1], side, side, channels)
        outputs = self.layer(tf.reshape(inputs, whole), training=training)
        return tf.ensure_shape(tf.reshape(outputs, shape), inputs.shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "layer": tf_keras.layers.serialize(self.layer),
            "fold": self.fold,
            "frames": self.frames,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Unfolded":
        config = dict(config)
        layer = tf_keras.layers.deserialize(config.pop("layer"))
        return cls(layer, **config)


def _in_training(training=None):
    return tf_keras.backend.learning_phase() if training is None else training
