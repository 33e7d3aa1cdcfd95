"""Tests of SlowOnly against published figures."""

import math

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from grw_tf.cost_table.multiply_adds import multiply_adds
from grw_tf.models import BackboneConfig, build_model, preset
from grw_tf.models.backbone import endpoint_channels, endpoints
from grw_tf.models.slowonly_backbone import SlowOnly, residual_blocks

STAGES = ("res2", "res3", "res4", "res5")
CHANNELS = {
    "slowonly_34": (64, 128, 256, 512),
    "slowonly_50": (256, 512, 1024, 2048),
    "slowonly_nano": (8, 16, 24, 32),
    "slowonly_nano_bottleneck": (32, 64, 96, 128),
}


@pytest.fixture(scope="module")
def slowonly_50():
    return build_model(preset("slowonly_50"))


def _trainable(model):
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


@pytest.mark.slow
def test_slowonly_50_is_as_large_and_costs_as_much_as_published(slowonly_50):
    # The slow pathway, R50 8x8, has 32.45 M parameters with 400 classes, and 54.5 G
    # multiply-adds for a view of 256 pixels, the size it is tested at.
    assert _trainable(slowonly_50) / 1e6 == pytest.approx(32.45, abs=0.01)
    view = tf.TensorSpec((1, 8, 256, 256, 3))
    backbone = tf.function(lambda clips: endpoints(slowonly_50.backbone, clips)["head"])
    counts = multiply_adds(backbone.get_concrete_function(view))
    assert set(counts) == {"Conv3D"}
    assert counts["Conv3D"] / 1e9 == pytest.approx(54.5, rel=0.01)


@pytest.mark.slow
def test_slowonly_34_is_as_large_as_its_kernels():
    assert _trainable(build_model(preset("slowonly_34"))) == 61_008_080


def _check_stages(backbone, channels, frames, size):
    clips = tf_keras.Input((frames, size, size, 3))
    shapes = {name: tuple(x.shape) for name, x in endpoints(backbone, clips).items()}
    assert shapes == {
        stage: (None, frames, size // shrunk, size // shrunk, width)
        for stage, shrunk, width in zip(STAGES, (4, 8, 16, 32), channels, strict=True)
    } | {"head": (None, frames, 1, 1, channels[-1])}
    widths = dict(zip((*STAGES, "head"), (*channels, channels[-1]), strict=True))
    assert endpoint_channels(backbone) == widths


def test_slowonly_50_keeps_all_frames_in_all_stages(slowonly_50):
    _check_stages(slowonly_50.backbone, CHANNELS["slowonly_50"], 8, 224)


@pytest.mark.parametrize("model_id", ["slowonly_nano", "slowonly_nano_bottleneck"])
def test_small_ones_keep_all_frames_in_all_stages(model_id):
    backbone = SlowOnly(BackboneConfig.of_family(model_id))
    _check_stages(backbone, CHANNELS[model_id], 5, 32)


def _temporal_sizes(layer):
    return {
        convolution.kernel.shape[0]
        for convolution in layer.submodules
        if isinstance(convolution, tf_keras.layers.Conv3D) and convolution.built
    }


def test_kernels_reach_over_time_in_the_last_stages_alone(slowonly_50):
    backbone = slowonly_50.backbone
    (stem,) = (x for x in backbone.layers if isinstance(x, tf_keras.layers.Conv3D))
    assert tuple(stem.kernel.shape) == (1, 7, 7, 3, 64)
    sizes = {}
    for block in residual_blocks(backbone):
        sizes.setdefault(block.stage, []).append(_temporal_sizes(block.branch_owner))
    assert sizes == {
        "res2": [{1}] * 3,
        "res3": [{1}] * 4,
        "res4": [{1, 3}] * 6,
        "res5": [{1, 3}] * 3,
    }


def test_basic_blocks_have_cubic_kernels_in_the_last_stages_alone():
    backbone = SlowOnly(BackboneConfig.of_family("slowonly_nano"))
    for block in residual_blocks(backbone):
        kernels = block.branch_owner._conv1.kernel, block.branch_owner._conv2.kernel
        time = 3 if block.stage in ("res4", "res5") else 1
        assert [tuple(k.shape[:3]) for k in kernels] == [(time, 3, 3)] * 2


def test_stages_before_res4_see_frames_one_by_one():
    backbone = SlowOnly(BackboneConfig.of_family("slowonly_nano_bottleneck"))
    clip = np.random.default_rng(0).random((1, 6, 32, 32, 3), "float32")
    order = np.random.default_rng(1).permutation(6)
    plain, shuffled = endpoints(backbone, clip), endpoints(backbone, clip[:, order])
    for stage in STAGES:
        wanted = plain[stage].numpy()[:, order]
        alike = np.allclose(shuffled[stage], wanted, rtol=1e-4, atol=1e-5)
        assert alike == (stage in ("res2", "res3"))
