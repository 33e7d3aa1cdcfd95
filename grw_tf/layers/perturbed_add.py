"""A sum whose second term something can act on, without a place of its own."""

import tf_keras


@tf_keras.utils.register_keras_serializable(package="grw_tf")
class PerturbedAdd(tf_keras.layers.Add):
    """Keras' sum of a shortcut and a residual branch, the branch perturbed.

    Attributes:
        branch: The layer that the branch, the last input, goes through, or None.

    Args, call arguments, output shape: as `tf_keras.layers.Add`.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.branch = None

    def call(self, inputs, training=None):
        if self.branch is not None:
            *shortcuts, branch = inputs
            inputs = [*shortcuts, self.branch(branch, training=training)]
        return super().call(inputs)
