"""Tests 3-D convolutions as sums of 2-D ones against TensorFlow's 3-D operation."""

import numpy as np
import pytest
import tensorflow as tf
from official.vision.modeling.layers import nn_layers

from grw_tf.layers.frame_by_frame_conv3d import FrameByFrameConv3D

CHANNELS = 6


def _pair(shape, **settings):
    """Returns a layer of the Model Garden's and one of ours with equal variables."""
    settings = {"filters": CHANNELS, "dtype": "float64", **settings}
    official, own = nn_layers.Conv3D(**settings), FrameByFrameConv3D(**settings)
    for layer in (official, own):
        layer.build(shape)
    assert [v.name for v in own.variables] == [v.name for v in official.variables]
    rng = np.random.default_rng(0)
    for there, here in zip(official.variables, own.variables, strict=True):
        there.assign(rng.normal(size=there.shape))
        here.assign(there)
    return official, own


def _values(layer, x):
    """Returns a layer's output and the gradients of its input and variables."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
        loss = tf.reduce_sum(tf.sin(tf.cast(y, tf.float64)))
    return [y, *tape.gradient(loss, [x, *layer.trainable_variables])]


def _assert_equal(official, own, x, tolerance=1e-12):
    for there, here in zip(_values(official, x), _values(own, x), strict=True):
        assert here.shape == there.shape
        np.testing.assert_allclose(here, there, rtol=tolerance, atol=tolerance)


def _clips(*shape):
    return tf.constant(np.random.default_rng(1).normal(size=shape))


@pytest.mark.parametrize("padding", ["causal", "same", "valid"])
@pytest.mark.parametrize("groups", [1, CHANNELS])
@pytest.mark.parametrize(
    "kernel, strides",
    [
        ((3, 3, 3), (1, 1, 1)),
        ((5, 3, 3), (1, 2, 2)),
        pytest.param((3, 1, 1), (2, 1, 1), marks=pytest.mark.slow),
        ((2, 4, 4), (3, 2, 2)),
        pytest.param((1, 5, 5), (1, 2, 2), marks=pytest.mark.slow),
    ],
)
def test_output_and_gradients_are_those_of_a_3d_convolution(
    kernel, strides, groups, padding
):
    x = _clips(2, 7, 8, 7, CHANNELS)
    official, own = _pair(
        x.shape,
        kernel_size=kernel,
        strides=strides,
        padding=padding,
        groups=groups,
    )
    _assert_equal(official, own, x)


@pytest.mark.parametrize("padding", ["causal", "same"])
def test_a_clip_may_be_shorter_than_the_kernel(padding):
    x = _clips(1, 1, 4, 4, CHANNELS)
    settings = {"kernel_size": (5, 3, 3), "padding": padding, "groups": CHANNELS}
    _assert_equal(*_pair(x.shape, **settings), x)


def test_a_channel_may_have_several_filters():
    x = _clips(1, 3, 4, 4, CHANNELS)
    settings = {"kernel_size": 3, "padding": "same", "groups": CHANNELS}
    _assert_equal(*_pair(x.shape, **settings, filters=2 * CHANNELS), x)


def test_frames_of_a_buffer_come_before_those_of_the_step():
    x = _clips(1, 6, 5, 5, CHANNELS)
    settings = {"kernel_size": (5, 3, 3), "padding": "causal", "groups": CHANNELS}
    official, own = _pair(x.shape, **settings, use_buffered_input=True)
    assert own(x).shape[1] == 2
    _assert_equal(official, own, x)


@pytest.mark.parametrize(
    "settings",
    [{"groups": 2}, {"strides": (1, 1, 2)}, {"dilation_rate": 2}],
    ids=["groups", "strides", "dilation"],
)
def test_a_convolution_without_such_a_sum_is_the_model_gardens(settings):
    x = _clips(1, 5, 6, 6, CHANNELS)
    _assert_equal(*_pair(x.shape, kernel_size=3, padding="same", **settings), x)


def test_batch_time_and_space_may_be_unknown():
    x = _clips(2, 5, 6, 6, CHANNELS)
    settings = {"kernel_size": 3, "strides": (1, 2, 2), "padding": "causal"}
    official, own = _pair(x.shape, **settings, groups=CHANNELS)
    unknown = tf.TensorSpec((None, None, None, None, CHANNELS), x.dtype)
    np.testing.assert_allclose(
        tf.function(own, input_signature=[unknown])(x), official(x), rtol=1e-12
    )


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_computes_in_the_lower_one(dtype):
    x = _clips(1, 4, 5, 5, CHANNELS)
    settings = {"kernel_size": 3, "padding": "same", "groups": CHANNELS}
    _, exact = _pair(x.shape, **settings)
    _, own = _pair(x.shape, **settings, dtype=dtype)
    y, *gradients = _values(own, x)
    assert y.dtype == own.compute_dtype
    assert [gradient.dtype for gradient in gradients[1:]] == ["float32"] * 2
    np.testing.assert_allclose(tf.cast(y, tf.float64), exact(x), atol=0.2)


def test_the_gradient_keeps_no_copies_of_the_input():
    x = _clips(1, 8, 16, 16, CHANNELS)
    _, own = _pair(x.shape, kernel_size=3, padding="same", groups=CHANNELS)

    @tf.function
    def gradient(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(own(x)))
        return tape.gradient(loss, own.trainable_variables)

    graph = gradient.get_concrete_function(x).graph
    # Each term reshapes the same tensor, which copies nothing.
    kept = {
        operation.inputs[0].op.inputs[0].name
        for operation in graph.get_operations()
        if operation.type == "DepthwiseConv2dNativeBackpropFilter"
    }
    assert len(kept) == 1
