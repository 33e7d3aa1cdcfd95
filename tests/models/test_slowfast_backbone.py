"""Tests of SlowFast against published figures."""

import math

import numpy as np
import pytest
import tensorflow as tf

from grw_tf.cost_table.multiply_adds import multiply_adds
from grw_tf.models import BackboneConfig, ModelConfig, build_model, preset
from grw_tf.models.backbone import build_backbone, endpoint_frames, endpoints
from grw_tf.models.slowfast_backbone import residual_blocks

STAGES = ("res2", "res3", "res4", "res5")


@pytest.fixture(scope="module")
def slowfast_50():
    return build_model(preset("slowfast_50_8x8"))


def _nano(**fields):
    backbone = BackboneConfig.of_family("slowfast_nano")
    config = ModelConfig(backbone=backbone, **{"frames": 6, "size": 32} | fields)
    return build_backbone(config)


def _clip(frames=6):
    shape = (1, frames, 32, 32, 3)
    return np.random.default_rng(0).random(shape, np.float32)


def _giga(model, size):
    clip = tf.TensorSpec((1, 32, size, size, 3))
    backbone = tf.function(lambda x: endpoints(model.backbone, x)["head"])
    counts = multiply_adds(backbone.get_concrete_function(clip))
    assert set(counts) == {"Conv3D"}
    return counts["Conv3D"] / 1e9


@pytest.mark.slow
def test_it_is_as_large_and_costs_as_much_as_published(slowfast_50):
    # Published: 34.6 M parameters, and 65.7 G multiply-adds for a view of 256 pixels.
    parameters = sum(math.prod(w.shape) for w in slowfast_50.trainable_weights)
    assert parameters == 34_566_488
    assert _giga(slowfast_50, 256) == pytest.approx(65.708, abs=1e-3)
    assert _giga(slowfast_50, 224) == pytest.approx(50.308, abs=1e-3)


@pytest.mark.slow
def test_that_with_a_slower_pathway_costs_as_much_as_published():
    assert _giga(build_model(preset("slowfast_50_4x16")), 256) == pytest.approx(
        36.1, abs=0.01
    )


def test_pathways_have_their_own_frames_and_channels(slowfast_50):
    shapes = slowfast_50.backbone.output_shape
    for path, frames, widths in (
        ("slow", 8, (256, 512, 1024, 2048)),
        ("fast", 32, (32, 64, 128, 256)),
    ):
        for stage, width in zip(STAGES, widths, strict=True):
            _, time, _, _, channels = shapes[f"{path}_{stage}"]
            assert (time, channels) == (frames, width)
    assert shapes["head"] == (None, 32, 1, 1, 2048 + 256)


def test_fast_features_join_the_slow_ones_before_each_stage(slowfast_50):
    inputs = {
        block.name: block.layer.input_shape[-1]
        for block in residual_blocks(slowfast_50.backbone)
        if block.name.endswith("layer0")
    }
    slow, fast = (
        [inputs[f"{path}_{stage}_layer0"] for stage in STAGES]
        for path in ("slow", "fast")
    )
    assert slow == [80, 320, 640, 1280]
    assert fast == [8, 32, 64, 128]


def test_slow_pathway_sees_the_first_of_each_alpha_frames_and_the_fast_one_all():
    backbone, clip = _nano(), _clip()
    changed = clip.copy()
    changed[:, 1::2] = 0
    for name in ("pool1", *STAGES[:-1]):
        # Nothing of the fast pathway gets through.
        backbone.get_layer(f"{name}_lateral_norm").gamma.assign_add(
            -backbone.get_layer(f"{name}_lateral_norm").gamma
        )
    plain, other = endpoints(backbone, clip), endpoints(backbone, changed)
    for stage in STAGES:
        slow, fast = f"slow_{stage}", f"fast_{stage}"
        np.testing.assert_array_equal(plain[slow], other[slow])
        assert np.abs(plain[fast] - other[fast]).max() > 1e-3


def test_lateral_connections_carry_frames_around_the_slow_pathways_own():
    backbone, clip = _nano(frames=16), _clip(16)
    changed = clip.copy()
    changed[:, 9] = 0
    difference = np.abs(
        endpoints(backbone, clip)["slow_res2"]
        - endpoints(backbone, changed)["slow_res2"]
    ).max((0, 2, 3, 4))
    # Frame 9 reaches 2 frames in the stem and 2 in the connection: frames 5 to 13.
    assert [bool(step) for step in difference > 0] == [
        5 <= frame <= 13 for frame in range(0, 16, 2)
    ]


def test_mean_of_the_head_is_that_of_each_pathway():
    found = endpoints(_nano(), _clip())
    slow, fast = (
        found[f"{path}_res5"].numpy().mean((1, 2, 3)) for path in ("slow", "fast")
    )
    mean = found["head"].numpy().mean((1, 2, 3))
    np.testing.assert_allclose(mean, np.concatenate([slow, fast], -1), rtol=1e-5)


@pytest.mark.parametrize(
    ("model_id", "frames", "advice"),
    [
        ("slowfast_nano", 7, "one of 2 frames, so give a multiple of 2, such as 8"),
        ("slowfast_50_8x8", 30, "one of 4 frames.*such as 32"),
        ("slowfast_50_4x16", 2, "one of 8 frames.*such as 8"),
    ],
)
def test_frames_that_the_slow_pathway_cannot_divide_are_refused(
    model_id, frames, advice
):
    config = ModelConfig(
        backbone=BackboneConfig.of_family(model_id), frames=frames, size=32
    )
    with pytest.raises(ValueError, match=f"frames is {frames}: .*{advice}"):
        build_model(config)


def test_endpoints_tell_their_frames():
    frames = endpoint_frames(_nano(), 6)
    assert [frames[f"slow_{stage}"] for stage in STAGES] == [3] * 4
    assert [frames[f"fast_{stage}"] for stage in STAGES] == [6] * 4
    assert frames["head"] == 6
