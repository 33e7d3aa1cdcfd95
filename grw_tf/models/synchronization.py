"""Batch statistics that do not depend on the number of replicas."""

import tensorflow as tf
import tf_keras


def synchronize(backbone):
    """Takes batch statistics over all replicas, in skip connections too.

    There the Model Garden's are of each replica alone, and their moving variances those
    of a sample, not of the batch, which a number of replicas cannot have in common.
    """
    several = tf.distribute.get_strategy().num_replicas_in_sync > 1
    for layer in backbone.submodules:
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            if several:
                layer.synchronized = True
                layer.fused = False
            else:
                layer._bessels_correction_test_only = False
