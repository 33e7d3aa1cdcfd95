"""Weights of models to restore into, and to compare."""

import numpy as np
import tensorflow as tf


def zeroed(model):
    """Returns the model, with zeros for all its weights."""
    for weight in model.weights:
        weight.assign(tf.zeros_like(weight))
    return model


def assert_equal_weights(mine, theirs):
    """Fails unless two models have the same weights, bit for bit."""
    for weight, other in zip(mine.weights, theirs.weights, strict=True):
        np.testing.assert_array_equal(weight, other, err_msg=weight.name)
