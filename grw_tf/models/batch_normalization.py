"""The batch normalizations of any model, and their statistics over replicas."""

import tensorflow as tf
import tf_keras


def batch_normalizations(
    model: tf_keras.Model,
) -> list[tf_keras.layers.BatchNormalization]:
    """Returns a model's batch normalizations, in the order in which it tracks them."""
    return [
        layer
        for layer in model.submodules
        if isinstance(layer, tf_keras.layers.BatchNormalization)
    ]


def synchronize(backbone: tf_keras.Model) -> None:
    """Takes batch statistics over all replicas, in skip connections too.

    The Model Garden's skip connections take them over each replica alone, and their
    moving variances have Bessel's correction, which depends on the number of replicas.
    """
    several = tf.distribute.get_strategy().num_replicas_in_sync > 1
    for layer in batch_normalizations(backbone):
        if several:
            layer.synchronized = True
            layer.fused = False
        else:
            layer._bessels_correction_test_only = False
