"""Stochastic depth that draws like Keras' dropout."""

from typing import Any

import tensorflow as tf
import tf_keras

from grw_tf.layers.noise_levels import check_level, check_rate, noise_shape


def check_drop(rate: float, level: str) -> None:
    """Raises a ValueError if `StochasticDepth` cannot have these arguments."""
    check_rate(rate)
    check_level(level, ("clip", "batch"))


@tf_keras.utils.register_keras_serializable(package="grw_tf")
class StochasticDepth(tf_keras.__internal__.layers.BaseRandomLayer):
    """Drops whole clips of a residual branch while training, and scales up the rest.

    As `official.vision.modeling.layers.nn_layers.StochasticDepth`, but for Keras'
    generator, by which training draws the same after it is resumed.

    Args:
        rate: How often a clip is dropped, in [0, 1).
        level: "clip" drops each clip by itself, "batch" all of the (replica's) batch.
        **kwargs: Of `tf_keras.layers.Layer`.

    Call arguments:
        inputs: [batch, ...].
        training: Whether it acts.

    Input shape: [batch, ...].

    Output shape: as the input's.

    Raises:
        ValueError: For arguments out of range.

    Reference: Huang et al., 2016, arXiv 1603.09382.
    """

    def __init__(self, rate: float, level: str = "clip", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_drop(rate, level)
        self.rate = rate
        self.level = level

    def acts(self, training: bool | tf.Tensor | None = None) -> bool:
        """Returns whether the output is another than the input.

        Args:
            training: As of a call.
        """
        if training is None:
            training = tf_keras.backend.learning_phase()
        return training and self.rate > 0

    def call(
        self, inputs: tf.Tensor, training: bool | tf.Tensor | None = None
    ) -> tf.Tensor:
        if not self.acts(training):
            return inputs
        return self._random_generator.dropout(
            inputs, self.rate, noise_shape=noise_shape(inputs, self.level)
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "level": self.level}
