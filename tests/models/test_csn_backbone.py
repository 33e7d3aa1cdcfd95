"""Tests of channel-separated networks against published figures."""

import dataclasses
import math

import numpy as np
import pytest
import tensorflow as tf

from grw_tf.cost_table.multiply_adds import multiply_adds
from grw_tf.models import BackboneConfig, ModelConfig, build_model, preset
from grw_tf.models.backbone import build_backbone, endpoint_frames, endpoints
from grw_tf.models.csn_backbone import residual_blocks


def _parameters(model):
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


@pytest.fixture(scope="module")
def csn_ip_50():
    return build_model(preset("csn_ip_50"))


def _nano(**changes):
    backbone = BackboneConfig.of_family("csn_nano", **changes)
    return build_backbone(ModelConfig(backbone=backbone, frames=6, size=32))


@pytest.mark.slow
def test_ip_csn_50_is_as_large_and_costs_as_much_as_counted(csn_ip_50):
    assert _parameters(csn_ip_50) == 14_396_176
    clip = tf.TensorSpec((1, 8, 224, 224, 3))
    backbone = tf.function(lambda x: endpoints(csn_ip_50.backbone, x)["head"])
    counts = multiply_adds(backbone.get_concrete_function(clip))
    assert sum(counts.values()) / 1e9 == pytest.approx(11.91, abs=0.01)


def test_ir_csn_50_is_as_large_as_published():
    assert _parameters(build_model(preset("csn_ir_50"))) / 1e6 == pytest.approx(
        13.13, abs=0.005
    )


def test_stages_halve_frames_and_pixels(csn_ip_50):
    shapes = csn_ip_50.backbone.output_shape
    assert {name: (shape[1], shape[-1]) for name, shape in shapes.items()} == {
        "res2": (8, 256),
        "res3": (4, 512),
        "res4": (2, 1024),
        "res5": (1, 2048),
        "head": (1, 2048),
    }
    found = endpoints(_nano(), tf.zeros((1, 6, 32, 32, 3)))
    assert {name: tuple(x.shape[1:4]) for name, x in found.items()} == {
        "res2": (6, 8, 8),
        "res3": (3, 4, 4),
        "res4": (2, 2, 2),
        "res5": (1, 1, 1),
        "head": (1, 1, 1),
    }
    assert endpoint_frames(_nano(), 6)["res3"] == 3


def test_only_depthwise_kernels_reach_over_time_and_space(csn_ip_50):
    for block in residual_blocks(csn_ip_50.backbone):
        kernels = [tuple(c.kernel.shape) for c, _, _ in block.layer.branch]
        wide = kernels.pop(2)
        assert wide == (3, 3, 3, 1, block.layer.filters)
        assert {kernel[:3] for kernel in kernels} == {(1, 1, 1)}


def test_interaction_has_no_activation(csn_ip_50):
    for block in residual_blocks(csn_ip_50.backbone):
        assert [a for _, _, a in block.layer.branch] == [True, False, True, True]


def test_forms_of_the_depthwise_convolutions_give_the_same_numbers():
    clip = np.random.default_rng(0).random((1, 6, 32, 32, 3), np.float32)
    by_frames, whole = (_nano(conv3d_by_frames=by) for by in (True, False))
    whole.set_weights(by_frames.get_weights())
    expected, actual = endpoints(whole, clip), endpoints(by_frames, clip)
    for name, features in actual.items():
        np.testing.assert_allclose(features, expected[name], rtol=1e-4, atol=1e-5)


def test_other_widths_and_types_are_refused():
    config = BackboneConfig.of_family("csn_nano")
    with pytest.raises(ValueError, match="backbone.activation is 'swish'"):
        dataclasses.replace(config, activation="swish")
