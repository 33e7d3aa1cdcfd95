"""Tests of counting multiply-adds, against counts by hand."""

import pytest
import tensorflow as tf
import tf_keras
from everyday import slow_but

from grw_tf.cost_table.multiply_adds import convolution_outputs, multiply_adds
from grw_tf.cost_table.published import find
from grw_tf.models import preset
from grw_tf.models.backbone import build_backbone, endpoints


def _counted(function, *shapes):
    specs = [tf.TensorSpec(shape) for shape in shapes]
    return multiply_adds(tf.function(function).get_concrete_function(*specs))


@pytest.mark.parametrize(
    "function, shapes, counts",
    [
        (
            lambda x, w: tf.nn.conv2d(x, w, 2, "SAME"),
            [(2, 8, 6, 3), (3, 5, 3, 7)],
            {"Conv2D": 2 * 4 * 3 * 7 * (3 * 5 * 3)},
        ),
        (
            lambda x, w: tf.nn.conv2d(x, w, 1, "SAME"),
            [(1, 4, 4, 6), (3, 3, 2, 9)],
            {"Conv2D": 4 * 4 * 9 * (3 * 3 * 2)},
        ),
        (
            lambda x, w: tf.nn.conv3d(x, w, (1, 1, 1, 1, 1), "VALID"),
            [(1, 5, 4, 4, 2), (3, 1, 2, 2, 6)],
            {"Conv3D": 3 * 4 * 3 * 6 * (3 * 1 * 2 * 2)},
        ),
        (
            lambda x, w: tf.nn.depthwise_conv2d(x, w, (1, 2, 2, 1), "SAME"),
            [(3, 8, 8, 5), (3, 4, 5, 2)],
            {"DepthwiseConv2dNative": 3 * 4 * 4 * 10 * (3 * 4)},
        ),
        (
            lambda a, b: tf.matmul(a, b, transpose_a=True),
            [(5, 2), (5, 3)],
            {"MatMul": 2 * 3 * 5},
        ),
        (
            lambda a, b: tf.matmul(a, b, transpose_b=True),
            [(4, 2, 5), (4, 3, 5)],
            {"BatchMatMulV2": 4 * 2 * 3 * 5},
        ),
        (
            lambda a, b: tf.matmul(a, b, adjoint_a=True),
            [(4, 5, 2), (4, 5, 3)],
            {"BatchMatMulV2": 4 * 2 * 3 * 5},
        ),
        (
            lambda a, b: tf.einsum("bqhd,bkhd->bhqk", a, b),
            [(2, 3, 4, 5), (2, 6, 4, 5)],
            {"Einsum": 2 * 3 * 4 * 5 * 6},
        ),
        (
            lambda a, b: tf.raw_ops.Einsum(inputs=[a, b], equation="...ij,jk->...ik"),
            [(2, 3, 4, 5), (5, 6)],
            {"Einsum": 2 * 3 * 4 * 5 * 6},
        ),
        (
            lambda a: tf.raw_ops.Einsum(inputs=[a], equation="ij->ji"),
            [(2, 3)],
            {"Einsum": 0},
        ),
        (lambda a: tf.nn.relu(a) + a, [(2, 3)], {}),
    ],
)
def test_counts_are_those_by_hand(function, shapes, counts):
    assert _counted(function, *shapes) == counts


def test_called_functions_count_at_each_call():
    @tf.function
    def product(a):
        return tf.matmul(a, a)

    counts = _counted(lambda a: product(product(a)) + tf.matmul(a, a), (3, 3))
    assert counts == {"MatMul": 3 * 27}


def test_grouped_convolutions_of_keras_count_their_groups_channels():
    # Keras compiles them: one graph serves layers of several shapes.
    layers = [
        tf_keras.layers.Conv3D(6, size, groups=6, strides=strides, padding="same")
        for size, strides in (((3, 1, 1), 1), ((1, 3, 3), 2), ((1, 1, 1), 1))
    ]
    counts = _counted(tf_keras.Sequential(layers), (1, 4, 2, 2, 6))
    assert counts == {"Conv3D": 4 * 2 * 2 * 6 * 3 + 2 * 6 * 9 + 2 * 6}


def test_values_that_convolutions_give_are_counted():
    def network(x, kernel, depthwise, weights):
        x = tf.nn.conv2d(x, kernel, 2, "SAME")
        x = tf.nn.depthwise_conv2d(x, depthwise, (1, 1, 1, 1), "SAME")
        return tf.reduce_mean(x, (1, 2)) @ weights

    specs = [(1, 8, 8, 3), (3, 3, 3, 6), (3, 3, 6, 1), (6, 10)]
    traced = tf.function(network).get_concrete_function(*map(tf.TensorSpec, specs))
    assert convolution_outputs(traced) == 4 * 4 * 6 + 4 * 4 * 6


@pytest.mark.slow
@pytest.mark.parametrize("causal", slow_but([False], [True, False]))
def test_official_network_costs_so_much_a_frame_and_so_much_a_clip(nano, causal):
    kind = {} if causal else {"causal": False, "conv_type": "3d", "se_type": "3d"}
    model = nano(backbone=kind)
    costs = [
        sum(
            _counted(
                lambda x: model.head(endpoints(model.backbone, x)["head"]),
                (1, frames, 32, 32, 3),
            ).values()
        )
        for frames in (4, 5, 8)
    ]
    a_frame = costs[1] - costs[0]
    assert costs[2] - costs[1] == 3 * a_frame
    # Once a clip: the head's hidden layer and classes, and in a base model the squeeze
    # excitation of the clip's mean.
    once = 64 * 128 + 128 * 5
    if not causal:
        once += sum(2 * c * h for c, h in ((24, 8), (48, 16), (48, 16)))
    assert costs[0] - 4 * a_frame == once


def test_unknown_shape_is_refused_by_name():
    with pytest.raises(ValueError, match="product has the tensor .*None, 3.*: trace"):
        _counted(lambda a: tf.matmul(a, a, name="product"), (None, 3))


@pytest.mark.parametrize(
    "function, kind",
    [
        (lambda a: tf.while_loop(lambda x: True, lambda x: x @ x, [a]), "While"),
        (lambda a: tf.cond(a[0, 0] > 0, lambda: a @ a, lambda: a), "If"),
    ],
)
def test_loops_and_branches_are_refused(function, kind):
    with pytest.raises(ValueError, match=f"{kind} around MatMul: how often"):
        _counted(function, (3, 3))


def test_branch_without_products_costs_nothing():
    assert _counted(lambda a: tf.cond(a[0] > 0, lambda: a, lambda: -a), (3,)) == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a0_base", "a1_base", "a3_base"])
def test_official_base_model_costs_what_is_published(name):
    config = preset(name)
    backbone = build_backbone(config)
    clip = tf.TensorSpec((1, config.frames, config.size, config.size, 3))
    run = tf.function(lambda x: endpoints(backbone, x)["head"], autograph=False)
    traced = run.get_concrete_function(clip)
    published = find(name).gflops
    cost = sum(multiply_adds(traced).values()) / 1e9
    assert cost == pytest.approx(published, rel=0.03)
    # The table says that batch normalization is missing.
    with_norm = cost + convolution_outputs(traced) / 1e9
    assert with_norm == pytest.approx(published, rel=0.01)
