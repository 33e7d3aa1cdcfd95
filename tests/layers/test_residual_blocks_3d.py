"""Tests of residual blocks over time and space."""

import numpy as np
import pytest
import tensorflow as tf
from random_weights import randomize

from grw_tf.layers.residual_blocks_3d import BasicBlock3D, BottleneckBlock3D

ARGUMENTS = {
    "filters": 4,
    "temporal_kernel_size": 3,
    "temporal_strides": 1,
    "spatial_strides": 2,
    "stochastic_depth_drop_rate": 0.25,
    "kernel_initializer": "HeNormal",
    "activation": "swish",
    "use_sync_bn": True,
    "norm_momentum": 0.9,
    "norm_epsilon": 1e-5,
    "name": "block",
}


@pytest.fixture(scope="module")
def features():
    return tf.constant(np.random.default_rng(0).normal(size=(2, 5, 8, 8, 4)), "float32")


def _built(block, features):
    block(features)
    randomize(block)
    return block


@pytest.mark.parametrize("filters, strides", [(4, 1), (4, 2), (6, 1)])
def test_basic_block_is_two_convolutions_and_a_shortcut(features, filters, strides):
    block = _built(BasicBlock3D(filters, 3, 1, strides), features)

    def normalized(x, norm):
        scale = norm.gamma / tf.sqrt(norm.moving_variance + norm.epsilon)
        return scale * (x - norm.moving_mean) + norm.beta

    def convolved(x, layer, stride):
        return tf.nn.conv3d(x, layer.kernel, (1, 1, stride, stride, 1), "SAME")

    x = tf.nn.relu(normalized(convolved(features, block._conv1, strides), block._norm1))
    x = normalized(convolved(x, block._conv2, 1), block._norm2)
    shortcut = features
    if (filters, strides) != (4, 1):
        assert block._shortcut_conv.kernel.shape[:3] == (1, 1, 1)
        shortcut = convolved(features, block._shortcut_conv, strides)
        shortcut = normalized(shortcut, block._norm0)
    np.testing.assert_allclose(
        block(features), tf.nn.relu(x + shortcut), rtol=1e-4, atol=1e-5
    )
    assert len(block.trainable_weights) == (6 if shortcut is features else 9)


def test_temporal_strides_are_those_of_the_first_convolution(features):
    block = BasicBlock3D(4, 3, 2, 1)
    assert block(features).shape == (2, 3, 8, 8, 4)


@pytest.mark.parametrize("kind", [BasicBlock3D, BottleneckBlock3D])
def test_config_makes_the_same_block(features, kind):
    block = _built(kind(**ARGUMENTS), features)
    config = block.get_config()
    assert {name: config[name] for name in ARGUMENTS} == ARGUMENTS
    again = kind.from_config(config)
    assert again.get_config() == config
    again(features)
    again.set_weights(block.get_weights())
    np.testing.assert_array_equal(again(features), block(features))


@pytest.mark.parametrize("kind", [BasicBlock3D, BottleneckBlock3D])
def test_branch_is_dropped_in_training_alone(features, kind):
    block = _built(kind(**ARGUMENTS | {"stochastic_depth_drop_rate": 0.999}), features)
    shortcut = block._norm0(block._shortcut_conv(features), training=True)
    np.testing.assert_allclose(
        block(features, training=True), tf.nn.swish(shortcut), rtol=1e-4, atol=1e-5
    )
    assert np.abs(block(features) - tf.nn.swish(shortcut)).max() > 0.1
