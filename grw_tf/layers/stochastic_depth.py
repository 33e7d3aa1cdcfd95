"""Stochastic depth that draws like Keras' dropout."""

import tensorflow as tf
import tf_keras


@tf_keras.utils.register_keras_serializable(package="grw_tf")
class StochasticDepth(tf_keras.__internal__.layers.BaseRandomLayer):
    """Drops whole clips of a residual branch while training, and scales up the rest.

    As `official.vision.modeling.layers.nn_layers.StochasticDepth`, but for Keras'
    generator, by which training draws the same after it is resumed.

    Args:
      rate: how often a clip is dropped.
      **kwargs: of `tf_keras.layers.Layer`.

    Call arguments:
      inputs: [batch, ...].
      training: whether it acts.

    Reference: Huang et al., 2016, arXiv 1603.09382.
    """

    def __init__(self, rate, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate

    def call(self, inputs, training=None):
        if training is None:
            training = tf_keras.backend.learning_phase()
        if not training or not self.rate:
            return inputs
        clips = (tf.shape(inputs)[0], *[1] * (inputs.shape.rank - 1))
        return self._random_generator.dropout(inputs, self.rate, noise_shape=clips)

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}
