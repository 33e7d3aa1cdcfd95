"""Tests of what implementations of 3-D ResNets do in their own ways."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from official.vision.modeling.layers import nn_layers

from grw_tf.layers.frame_by_frame_conv3d import FrameByFrameConv3D
from grw_tf.layers.symmetric_padding import pad_symmetrically
from grw_tf.models import BackboneConfig
from grw_tf.models.backbone import build_backbone, endpoints, residual_blocks
from grw_tf.models.conventions import CSNS, RESNETS, Conventions
from grw_tf.models.presets import resnet_config
from grw_tf.weights.model_variables import with_backbone

STRIDES = (2, 2, 2)


def _clip(*sizes):
    return tf.constant(np.random.default_rng(0).normal(size=(1, *sizes, 4)), tf.float32)


def _layers():
    yield tf_keras.layers.Conv3D(4, (3, 7, 7), STRIDES, padding="same", use_bias=False)
    for kind in (nn_layers.Conv3D, FrameByFrameConv3D):
        yield kind(4, 3, STRIDES, padding="same", use_bias=False, groups=4)


@pytest.mark.parametrize("size", [7, 8])
def test_half_a_kernel_of_zeros_is_on_each_side(size):
    x = _clip(size, size, size)
    for layer in _layers():
        layer(x)
        pad_symmetrically(layer)
        margins = [[length // 2] * 2 for length in layer.kernel_size]
        padded = tf.pad(x, [[0, 0], *margins, [0, 0]])
        found = layer(x)
        # The sum over all of a window is the output of a kernel of ones.
        layer.kernel.assign(tf.ones_like(layer.kernel))
        windows = tf.extract_volume_patches(
            padded, (1, *layer.kernel_size, 1), (1, *STRIDES, 1), "VALID"
        )
        parts = tf.reshape(windows, (*windows.shape[:4], -1, 4))
        wanted = tf.reduce_sum(parts, 4)
        if layer.groups == 1:
            wanted = tf.reduce_sum(wanted, -1, keepdims=True)
        assert found.shape[1:4] == windows.shape[1:4]
        wanted = tf.broadcast_to(wanted, found.shape)
        np.testing.assert_allclose(layer(x), wanted, atol=2e-5)


def test_pooling_after_a_relu_sees_nothing_new_beyond_the_frame():
    x = tf.nn.relu(_clip(2, 8, 8))
    layer = tf_keras.layers.MaxPool3D((1, 3, 3), (1, 2, 2), padding="same")
    layer(x)
    pad_symmetrically(layer)
    first = tf.reduce_max(x[:, :, :2, :2], (2, 3))
    np.testing.assert_array_equal(layer(x)[:, :, 0, 0], first)


def test_layers_without_strides_stay_as_they_are():
    x = _clip(4, 4, 4)
    layer = tf_keras.layers.Conv3D(4, 3, padding="same")
    before = layer(x)
    pad_symmetrically(layer)
    assert layer.padding == "same" and not hasattr(layer, "margins")
    np.testing.assert_array_equal(layer(x), before)


def test_slow_frames_reach_to_the_end_where_weights_were_trained_so():
    # As torch.linspace(0, 31, 8).long() gives.
    assert RESNETS["pytorchvideo"].slow_frames(32, 4) == [0, 4, 8, 13, 17, 22, 26, 31]
    assert RESNETS["pytorchvideo"].slow_frames(4, 4) == [0]
    assert RESNETS["mmaction2"].slow_frames(32, 8) == [0, 8, 16, 24]
    assert Conventions().slow_frames(32, 8) == [0, 8, 16, 24]


def test_frames_are_normalized_by_published_colors():
    gray = tf.constant([[0.45, 0.45, 0.675]])
    np.testing.assert_allclose(
        RESNETS["pytorchvideo"].normalize(gray), [[0, 0, 1]], atol=1e-6
    )
    bytes_of_mean = tf.constant([[110.2008, 100.63983, 95.99475]])
    found = CSNS["mmaction2"].normalize(bytes_of_mean / 255)
    np.testing.assert_allclose(found, [[0, 0, 0]], atol=1e-6)
    assert Conventions().normalize(gray) is gray


@pytest.mark.parametrize(
    "model_id, implementation",
    [("a0", "pytorchvideo"), ("csn_ip_50", "pytorchvideo"), ("slowonly_50", "torch")],
)
def test_implementation_without_weights_for_a_network_is_refused(
    model_id, implementation
):
    with pytest.raises(ValueError, match="implementation is .* can only be tensorflow"):
        BackboneConfig.of_family(model_id, implementation=implementation)


def test_regularizers_come_before_padding():
    config = with_backbone(resnet_config("csn_nano"), implementation="mmaction2")
    backbone = build_backbone(config)
    shapes = []
    (_, block, *_) = residual_blocks(backbone, config.backbone)
    (site,) = block.places["conv3"]
    assert site.beside.margins == (1, 1, 1)

    def seen(x):
        shapes.append(tuple(x.shape))
        return x

    site.give_to(seen)
    endpoints(backbone, tf.zeros((1, 8, 32, 32, 3)))
    assert shapes == [(1, 8, 8, 8, 16)]
