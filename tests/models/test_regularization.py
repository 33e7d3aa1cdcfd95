"""Tests of where RMS, RandomDrop and ShakeDrop act in each backbone."""

import dataclasses
import functools

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from everyday import slow_but
from random_weights import randomize
from toy_backbones import BASE, OTHERS

from grw_tf.layers import RandomDrop, RandomMeanScaling, ShakeDrop
from grw_tf.layers.unfolded import Unfolded
from grw_tf.models import BackboneConfig, ModelConfig, build_model
from grw_tf.models.backbone import build_backbone, residual_blocks
from grw_tf.models.regularization import lasting_rms, regularize
from grw_tf.models.regularization_config import (
    CutMixConfig,
    MixupConfig,
    RandomDropConfig,
    RegularizationConfig,
    RMSConfig,
    ShakeDropConfig,
)
from grw_tf.models.residual_block import ResidualBlock
from grw_tf.models.streaming import check_causal
from grw_tf.weights.restore import restore

STREAM = BackboneConfig(model_id="nano")
BACKBONES = {
    "stream": STREAM,
    "base": BackboneConfig(**BASE),
    **{name: BackboneConfig.of_family(name) for name in OTHERS},
}


def _config(backbone, methods=("rms",), **fields):
    return ModelConfig(
        backbone=BACKBONES[backbone],
        regularization=RegularizationConfig(methods=methods, **fields),
        num_classes=3,
        frames=4,
        size=32,
    )


@functools.cache
def _blocks(backbone):
    built = build_backbone(_config(backbone, ()))
    return residual_blocks(built, BACKBONES[backbone])


def _place(config):
    """Returns the layers in places within branches, and those on branches."""
    (backbone,) = (n for n, known in BACKBONES.items() if known == config.backbone)
    blocks = _blocks(backbone)
    sites = [site for b in blocks for sites in b.places.values() for site in sites]
    owners = [b for b in blocks if b.branch_owner is not None]
    for site in sites:
        site.give_to(None)
    for block in owners:
        setattr(block.branch_owner, block.branch_attribute, None)
    regularize(blocks, config)
    before = [site.taken_by for site in sites]
    branches = [getattr(b.branch_owner, b.branch_attribute) for b in owners]
    return [[x for x in layers if x is not None] for layers in (before, branches)]


def _inner(layer):
    return layer.layer if isinstance(layer, Unfolded) else layer


# In the last two stages: all three of each MoViNet block (four in (2+1)D) and of
# MobileNetV3's eight blocks, both of basic blocks, and the last of bottlenecks.
@pytest.mark.parametrize(
    ("backbone", "folds"),
    [
        # Blocks are block0 (one layer) and block1 (two).
        ("stream", 3 * ["time", "time", "space", "time"]),
        pytest.param("base", 9 * [None], marks=pytest.mark.slow),
        ("slowonly_nano", 4 * [None]),
        ("slowonly_nano_bottleneck", 2 * [None]),
        pytest.param("slowfast_nano", 4 * [None], marks=pytest.mark.slow),
        ("csn_nano", 2 * [None]),
        pytest.param("mobilenet_v3_small", 8 * 3 * ["time"], marks=pytest.mark.slow),
    ],
)
def test_rms_acts_in_the_last_two_stages(backbone, folds):
    placed, branches = _place(_config(backbone))
    assert [getattr(layer, "fold", None) for layer in placed] == folds
    assert {_inner(layer).causal for layer in placed} == {BACKBONES[backbone].causal}
    assert branches == []


@pytest.mark.parametrize(
    ("backbone", "rms", "count"),
    [
        ("stream", {"before": ("projection",)}, 3),
        ("stream", {"before": ("feature",), "blocks": ("block1",)}, 4),
        ("stream", {"before": ("expansion",), "blocks": ("block1_layer1",)}, 1),
        ("slowonly_nano", {"before": ("bn1",), "blocks": ("res3", "res5")}, 2),
        ("slowonly_nano_bottleneck", {"before": ("bn1", "bn2", "bn3")}, 6),
        ("slowonly_nano", {"before": ("conv1",)}, 2),
        ("slowonly_nano", {"before": ("conv2", "relu1", "relu2")}, 6),
        ("slowfast_nano", {"blocks": ("slow_res4_layer0", "res5")}, 3),
        ("slowfast_nano", {"before": ("conv1", "relu3")}, 8),
        ("csn_nano", {"before": ("relu1", "bn2", "relu3", "conv4")}, 8),
        ("stream", {"before": ("expansion_conv", "projection_conv")}, 6),
        ("stream", {"before": ("feature_activation",), "blocks": ("block1",)}, 4),
        ("base", {"before": ("feature_conv", "expansion_activation")}, 6),
        pytest.param(
            *("mobilenet_v3_small", {"blocks": ("stage1", "block10")}, 9),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_places_are_chosen_by_name(backbone, rms, count):
    placed, _ = _place(_config(backbone, rms=RMSConfig(**rms)))
    assert len(placed) == count


@pytest.mark.parametrize(
    ("backbone", "rms", "message"),
    [
        (
            "stream",
            {"blocks": ("block7",)},
            "rms.blocks has 'block7', which matches nothing; there are the stages"
            " block0, block1 and the blocks block0_layer0, block1_layer0,"
            " block1_layer1.",
        ),
        (
            "slowonly_nano",
            {"before": ("bn3",)},
            "rms.before has 'bn3', which matches nothing; the blocks res4_layer0,"
            " res5_layer0 have conv1, bn1, relu1, conv2, bn2, relu2.",
        ),
        (
            "csn_nano",
            {"before": ("relu2",)},
            "rms.before has 'relu2', which matches nothing; the blocks res4_layer0,"
            " res5_layer0 have conv1, bn1, relu1, conv2, bn2, conv3, bn3, relu3,"
            " conv4, bn4, relu4.",
        ),
        (
            "stream",
            {"before": ("projection_activation",)},
            "have expansion_conv, expansion, expansion_activation, feature_conv,"
            " feature, feature_activation, projection_conv, projection.",
        ),
        (
            "mobilenet_v3_small",
            {"before": ("expansion",), "blocks": ("stage0",)},
            "the blocks block0 have feature_conv, feature, feature_activation,"
            " projection_conv, projection.",
        ),
        ("stream", {"kernel_size": 4}, "regularization.rms: kernel_size must be odd"),
        ("stream", {"kernel_size": 10**9 + 1}, "odd and from 1 to 99, got 1000000001"),
        (
            "stream",
            {"before": ("feature", "feature")},
            "rms.before has 'feature' twice",
        ),
        ("stream", {"blocks": 5}, "rms.blocks must be a list, got 5"),
        ("stream", {"filter": "gaussian", "std": -1.0}, "std must be positive"),
        ("stream", {"distribution": "normal"}, "Unknown distribution 'normal'"),
    ],
)
def test_bad_settings_are_refused_in_one_line(backbone, rms, message):
    with pytest.raises(ValueError) as caught:
        _place(_config(backbone, rms=RMSConfig(**rms)))
    assert message in str(caught.value)
    assert str(caught.value).isprintable()


def _branch_doubled_at(layer, x, place):
    """Returns what a block of a 3-D ResNet makes of x if one place has a factor 2."""
    y, last = x, len(layer.branch)
    for number, (convolution, norm, activated) in enumerate(layer.branch, start=1):
        y = convolution(2 * y if place == f"conv{number}" else y)
        y = norm(2 * y if place == f"bn{number}" else y)
        y = 2 * y if place == f"relu{number}" else y
        y = tf.nn.relu(y) if activated and number < last else y
    shortcut = layer.shortcut
    return tf.nn.relu(y + (shortcut.norm(shortcut.convolution(x)) if shortcut else x))


@pytest.mark.parametrize(
    "backbone", ["slowonly_nano", "slowonly_nano_bottleneck", "csn_nano"]
)
def test_places_of_3d_resnets_are_where_their_names_say(backbone):
    block = _blocks(backbone)[-1]
    x = tf.random.normal((1, 4, 3, 3, block.layer.input_shape[-1]))
    double = tf_keras.layers.Lambda(lambda y: 2 * y)
    plain = block.layer(x).numpy()
    for name, (site,) in block.places.items():
        expected = _branch_doubled_at(block.layer, x, name)
        assert np.abs(expected - plain).max() > 1e-3, name
        site.give_to(double)
        actual = block.layer(x)
        site.give_to(None)
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(block.layer(x), plain)


@pytest.mark.parametrize(
    "backbone",
    [
        "slowfast_nano",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("stream", "base", "mobilenet_v3_small")
        ),
    ],
)
def test_a_layer_in_any_place_acts_and_leaves_no_trace(backbone):
    tf_keras.utils.set_random_seed(0)
    model = build_model(_config(backbone, ()))
    # A MoViNet's branches begin at 0.
    randomize(model)
    clips = tf.random.uniform((1, 4, 32, 32, 3))
    plain = model(clips).numpy()
    weights = len(model.weights)
    block = residual_blocks(model.backbone, model.config.backbone)[0]
    for name, sites in block.places.items():
        for site in sites:
            seen = []
            site.give_to(
                tf_keras.layers.Lambda(
                    lambda y, seen=seen: seen.append(y.shape[-1]) or 3 * y
                )
            )
            assert np.abs(model(clips) - plain).max() > 1e-6, name
            assert seen == [site.channels], name
            assert len(model.weights) == weights
            site.give_to(None)
    np.testing.assert_array_equal(model(clips), plain)


@pytest.mark.parametrize(
    ("backbone", "before"),
    [
        ("slowonly_nano", ("conv1", "relu2")),
        *(
            pytest.param(name, before, marks=pytest.mark.slow)
            for name, before in (
                ("csn_nano", ("conv3", "relu3")),
                ("slowfast_nano", ("conv1", "relu1")),
            )
        ),
        pytest.param(
            "stream", ("feature_conv", "feature_activation"), marks=pytest.mark.slow
        ),
        pytest.param(
            "mobilenet_v3_small",
            ("feature_conv", "expansion_activation"),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_rms_before_convolutions_and_activations_acts_in_training_alone(
    backbone, before
):
    tf_keras.utils.set_random_seed(0)
    plain = build_model(_config(backbone, ()))
    randomize(plain)
    model = build_model(_config(backbone, rms=RMSConfig(before=before)))
    model.set_weights(plain.get_weights())
    clips = tf.random.uniform((2, 4, 32, 32, 3))
    np.testing.assert_array_equal(model(clips), plain(clips))
    draws = [model(clips, training=True).numpy() for _ in range(2)]
    assert np.abs(draws[0] - draws[1]).max() > 1e-5


def test_blocks_without_batch_normalization_are_refused():
    block = ResidualBlock("only", "only", {}, (), None, "")
    with pytest.raises(ValueError, match="the blocks only have none"):
        regularize([block], _config("stream"))


@pytest.mark.parametrize(
    "backbone", [pytest.param("stream", marks=pytest.mark.slow), "slowonly_nano"]
)
def test_plain_checkpoints_match_all_that_a_regularized_model_tracks(
    backbone, tmp_path
):
    plain = build_model(_config(backbone, ()))
    path = tf.train.Checkpoint(model=plain).save(tmp_path / "plain")
    model = build_model(_config(backbone, ("rms", "shake_drop")))
    status = tf.train.Checkpoint(model=model).restore(path)
    status.assert_consumed().assert_existing_objects_matched()
    kinds = [type(layer) for layer in model.submodules]
    # Training finds them there to seed them.
    assert RandomMeanScaling in kinds and ShakeDrop in kinds


def test_rms_that_acts_at_inference_belongs_to_the_weights(tmp_path):
    rms = RMSConfig(distribution="uniform(0, 1)")
    model = build_model(_config("slowonly_nano", rms=rms))
    path = tf.train.Checkpoint(model=model).save(tmp_path / "ckpt")
    plain = build_model(_config("slowonly_nano", ()))
    with pytest.raises(ValueError, match=r"trained with an RMS of .*uniform\(0, 1\)"):
        tf.train.Checkpoint(model=plain).restore(path)
    with pytest.raises(ValueError, match="acts at inference too"):
        restore(plain, path)


@pytest.mark.parametrize(
    ("backbone", "blocks", "branches"),
    [
        ("stream", 3, 3),
        ("base", 3, 3),
        ("slowonly_nano", 4, 4),
        ("slowonly_nano_bottleneck", 4, 4),
        ("slowfast_nano", 8, 8),
        ("csn_nano", 4, 4),
        # Six of eleven blocks have a shortcut.
        ("mobilenet_v3_small", 11, 6),
    ],
)
@pytest.mark.parametrize(
    ("method", "kind"), [("random_drop", RandomDrop), ("shake_drop", ShakeDrop)]
)
def test_drops_are_more_frequent_in_later_blocks(
    backbone, blocks, branches, method, kind
):
    before, placed = _place(_config(backbone, (method,)))
    assert before == []
    assert {type(_inner(layer)) for layer in placed} == {kind}
    rates = [_inner(layer).rate for layer in placed]
    assert rates == sorted(rates)
    possible = [0.5 * number / blocks for number in range(1, blocks + 1)]
    assert len(rates) == branches
    assert set(np.round(rates, 9)) <= set(np.round(possible, 9))
    assert rates[-1] == 0.5


@pytest.mark.parametrize(
    "backbone",
    slow_but(["slowonly_nano"], ["stream", "slowonly_nano", "mobilenet_v3_small"]),
)
def test_nothing_changes_at_inference(backbone):
    tf_keras.utils.set_random_seed(0)
    plain = build_model(_config(backbone, ()))
    # A MoViNet's branches begin at 0.
    randomize(plain)
    model = build_model(_config(backbone, ("rms", "shake_drop")))
    model.set_weights(plain.get_weights())
    clips = tf.random.uniform((2, 4, 32, 32, 3))
    np.testing.assert_array_equal(model(clips), plain(clips))
    assert not np.allclose(model(clips, training=True), plain(clips, training=True))


@pytest.mark.parametrize("backbone", ["stream", "mobilenet_v3_small"])
def test_alpha_is_one_number_for_all_frames_of_a_clip(backbone):
    """Folded features are unfolded: x + (alpha - 1) x is alpha x."""
    rms = RMSConfig(component="feature", distribution="uniform(0.5, 1.5)")
    layers, _ = _place(_config(backbone, rms=rms))
    frames, clips = 4, 3
    assert len(layers) > 4
    for layer in layers[:4]:
        shape = {
            "time": (clips * frames, 5, 5, 6),
            "space": (clips, frames, 25, 6),
        }[layer.fold]
        ones = layer(tf.ones(shape), training=True).numpy().reshape(clips, -1)
        np.testing.assert_array_equal(ones, np.repeat(ones[:, :1], ones.shape[1], 1))
        assert len(np.unique(ones)) == clips


def test_folded_features_are_filtered_in_their_own_space_and_time():
    layer = RandomMeanScaling(distribution="uniform(0, 0)", causal=True)
    x = tf.random.normal((2, 4, 5, 5, 6))
    whole = layer(x, training=True)
    for fold, shape in (("time", (8, 5, 5, 6)), ("space", (2, 4, 25, 6))):
        folded = Unfolded(layer, fold, 4)(tf.reshape(x, shape), training=True)
        np.testing.assert_allclose(tf.reshape(folded, x.shape), whole, atol=1e-6)


def test_unfolding_does_nothing_where_the_layer_does_not():
    layer = Unfolded(RandomMeanScaling(), "time", 4)
    function = tf.function(lambda x: layer(x, training=False), autograph=False)
    x = tf.TensorSpec((8, 5, 5, 6))
    operations = function.get_concrete_function(x).graph.get_operations()
    assert {op.type for op in operations} <= {"Placeholder", "Identity"}


def test_rms_that_stays_at_inference_is_not_streamed():
    rms = RMSConfig(distribution="uniform(0, 1)")
    with pytest.raises(ValueError, match=r"uniform\(0, 1\) has a mean other than 1"):
        check_causal(_config("stream", rms=rms))


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (RandomDropConfig, {"rate": 1.0}, "random_drop: rate must be at least 0 and"),
        (RandomDropConfig, {"level": "pixel"}, "random_drop: Unknown level 'pixel'"),
        (ShakeDropConfig, {"rate": -0.1}, "shake_drop: rate must .* got -0.1"),
        (
            ShakeDropConfig,
            {"alpha": [0]},
            "shake_drop: alpha must be two finite bounds",
        ),
        (ShakeDropConfig, {"alpha": [-5, 0]}, "shake_drop: .*expected factor"),
        (ShakeDropConfig, {"beta": [1, 0]}, "shake_drop: .*wrong way round"),
        (CutMixConfig, {"alpha": 0.0}, "cutmix.alpha is 0.0"),
        (MixupConfig, {"alpha": -1.0}, "mixup.alpha is -1.0"),
    ],
)
def test_errors_name_the_key_of_the_value(kind, values, message):
    fields = {CutMixConfig: "cutmix", MixupConfig: "mixup"}
    with pytest.raises(ValueError, match=f"regularization.{message}"):
        config = kind(**values)
        RegularizationConfig(**{fields[kind]: config})


@pytest.mark.parametrize("methods", [5, None, "rms", ["rms", "rms"]])
def test_methods_are_a_list_of_each_once(methods):
    with pytest.raises(
        ValueError, match="regularization.methods (must be a|has 'rms')"
    ):
        RegularizationConfig(methods=methods)


@pytest.mark.parametrize(
    "same",
    [
        {"distribution": "uniform(0,1)"},
        {"distribution": "normal(0.5, 0.2)"},
        {"level": "batch"},
        {"std": 2.0},
    ],
)
def test_what_makes_no_difference_at_inference_may_differ(same):
    rms = RMSConfig(distribution="uniform(0, 1)")
    other = dataclasses.replace(rms, **same)
    configs = (_config("base", rms=each) for each in (rms, other))
    first, second = map(lasting_rms, configs)
    assert first == second and first is not None


def test_two_methods_that_drop_branches_are_refused():
    with pytest.raises(ValueError, match="random_drop and shake_drop"):
        RegularizationConfig(methods=("shake_drop", "random_drop"))
    backbone = dataclasses.replace(STREAM, stochastic_depth_drop_rate=0.2)
    with pytest.raises(ValueError, match="stochastic_depth_drop_rate is 0.2"):
        ModelConfig(
            backbone=backbone,
            regularization=RegularizationConfig(methods=("random_drop",)),
        )


def test_unknown_method_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="'rsm'.*did you mean 'rms'"):
        RegularizationConfig(methods=("rsm",))
