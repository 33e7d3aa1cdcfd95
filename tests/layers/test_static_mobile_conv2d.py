"""Tests 2-D convolutions of clips by static shapes against the Model Garden's layer."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from official.projects.movinet.modeling.movinet_layers import MobileConv2D

from grw_tf.layers.static_mobile_conv2d import StaticMobileConv2D

FOLDS = {
    "frames": {"kernel_size": (3, 3), "strides": (2, 2), "padding": "same"},
    "frames, depthwise": {
        "kernel_size": (5, 5),
        "strides": (2, 2),
        "padding": "same",
        "use_depthwise": True,
    },
    "pixels": {"kernel_size": (3, 1), "padding": "causal", "use_temporal": True},
    "pixels, buffered": {
        "kernel_size": (3, 1),
        "padding": "causal",
        "use_temporal": True,
        "use_buffered_input": True,
    },
}


def _pair(name):
    """Returns a layer of the Model Garden's and one of ours with equal variables."""
    layers = []
    for form in (MobileConv2D, StaticMobileConv2D):
        tf_keras.utils.set_random_seed(0)
        norm, activation = tf_keras.layers.BatchNormalization(), tf.nn.silu
        layer = form(6, **FOLDS[name], batch_norm_op=norm, activation_op=activation)
        layer(_clips())
        layers.append(layer)
    return layers


def _clips(*shape):
    shape = shape or (2, 5, 7, 8, 6)
    return np.random.default_rng(1).normal(size=shape).astype("float32")


def _values(layer, signature):
    """Returns what a layer gives and the gradients of its variables, in a graph."""

    @tf.function(input_signature=[signature])
    def step(clips):
        with tf.GradientTape() as tape:
            y = layer(clips, training=True)
            loss = tf.reduce_sum(tf.sin(y))
        assert y.shape[-1] == 6
        return [y, *tape.gradient(loss, layer.trainable_variables)]

    graph = step.get_concrete_function().graph
    shapes = [op for op in graph.get_operations() if op.type in ("Shape", "Pack")]
    return step(_clips()), len(shapes)


@pytest.mark.parametrize("name", FOLDS)
@pytest.mark.parametrize(
    "shape",
    [(2, 5, 7, 8, 6), (None, 5, 7, 8, 6), (None, None, 7, 8, 6), (None,) * 4 + (6,)],
)
def test_output_and_gradients_are_the_model_gardens(name, shape):
    official, own = _pair(name)
    signature = tf.TensorSpec(shape)
    (expected, _), (found, _) = _values(official, signature), _values(own, signature)
    for there, here in zip(expected, found, strict=True):
        np.testing.assert_array_equal(here, there)


@pytest.mark.parametrize("name", FOLDS)
def test_shapes_are_not_computed_at_each_step(name):
    official, own = _pair(name)
    signature = tf.TensorSpec((None, 5, 7, 8, 6))
    assert _values(own, signature)[1] < 0.5 * _values(official, signature)[1]
