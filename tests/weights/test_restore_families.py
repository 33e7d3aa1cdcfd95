"""Tests of checkpoints of all backbone families, with regularizers and without."""

import itertools
import types

import numpy as np
import pytest
import tensorflow as tf
from everyday import slow_but
from official.projects.movinet.modeling import movinet, movinet_model
from official.vision.modeling.backbones import resnet_3d
from random_weights import randomize
from toy_backbones import BACKBONES, OTHERS, OTHERS_WITH_HEADS
from toy_heads import HEADS

from grw_tf.models import RegularizationConfig
from grw_tf.models.backbone import endpoints
from grw_tf.models.movinet_backbone import GATES
from grw_tf.weights.restore import load_model, restore

REGULARIZED = RegularizationConfig(methods=("rms", "shake_drop"))


def _save(model, folder):
    return tf.train.Checkpoint(model=model).save(folder / "ckpt")


def _assert_values(model, values):
    for weight, value in zip(model.weights, values, strict=True):
        np.testing.assert_array_equal(weight, value, err_msg=weight.name)


@pytest.mark.parametrize("model_id, head", OTHERS_WITH_HEADS)
def test_whole_model_comes_back(nano, tmp_path, model_id, head):
    model = nano(backbone=BACKBONES[model_id], head=HEADS[head])
    loaded = load_model(_save(model, tmp_path))
    assert loaded.config == model.config
    _assert_values(loaded, model.get_weights())


@pytest.mark.slow
def test_only_the_classifier_starts_anew_for_other_classes(nano, tmp_path):
    backbone = BACKBONES["mobilenet_v3_small"]
    path = _save(nano(backbone=backbone), tmp_path)
    restored = restore(nano(scratch=True, backbone=backbone, num_classes=3), path)
    assert sorted(restored.own) == ["head/_classifier/bias", "head/_classifier/kernel"]


@pytest.fixture(scope="module")
def regularized(nano):
    """A function that returns a model with regularizers; tests restore it."""
    return lambda model_id: nano(
        scratch=True, backbone=BACKBONES[model_id], regularization=REGULARIZED
    )


def _keys(path):
    return [key for key, _ in tf.train.list_variables(path)]


@pytest.mark.parametrize(
    "model_id",
    [
        "nano",
        *(pytest.param(model_id, marks=pytest.mark.slow) for model_id in OTHERS),
    ],
)
def test_regularizers_add_no_variables(nano, regularized, tmp_path, model_id):
    plain, model = nano(backbone=BACKBONES[model_id]), regularized(model_id)
    for weight in model.weights:
        weight.assign(2 * weight)
    path = _save(plain, tmp_path / "plain")
    assert _keys(path) == _keys(_save(model, tmp_path / "regularized"))
    restore(model, path)
    _assert_values(model, plain.get_weights())


@pytest.mark.slow
def test_weights_trained_with_regularizers_come_into_a_model_without(
    nano, regularized, tmp_path
):
    model_id = "slowonly_nano_bottleneck"
    path = _save(regularized(model_id), tmp_path)
    model = nano(scratch=True, backbone=BACKBONES[model_id])
    for weight in model.weights:
        weight.assign(tf.zeros_like(weight))
    assert not restore(model, path).own
    _assert_values(model, regularized(model_id).get_weights())


@pytest.mark.slow
def test_movinet_of_the_model_garden_comes_into_a_regularized_one(
    regularized, clip, tmp_path
):
    model = regularized("nano")
    config = model.config.backbone
    theirs = movinet_model.MovinetClassifier(
        movinet.Movinet(
            model_id="nano",
            causal=config.causal,
            conv_type=config.conv_type,
            se_type=config.se_type,
            activation=config.activation,
            gating_activation=GATES[config.gating_activation],
        ),
        num_classes=5,
        activation="swish",
    )
    randomize(theirs, seed=1)
    assert not restore(model, _save(theirs, tmp_path)).own
    np.testing.assert_allclose(model(clip), theirs(clip), rtol=1e-4, atol=1e-4)


def test_slowonly_of_the_model_garden_comes_back(regularized, clip, tmp_path):
    model_id = "slowonly_nano_bottleneck"
    theirs = resnet_3d.ResNet3D(
        model_id=model_id,
        temporal_strides=[1, 1, 1, 1],
        temporal_kernel_sizes=[(1,), (1,), (3,), (3,)],
        stem_conv_temporal_kernel_size=1,
        stem_conv_temporal_stride=1,
        stem_pool_temporal_stride=1,
        norm_epsilon=1e-5,
    )
    randomize(theirs, seed=1)
    path = tf.train.Checkpoint(backbone=theirs).save(tmp_path / "ckpt")
    model = regularized(model_id)
    restored = restore(model, path)
    assert len(restored.names) == len(theirs.weights)
    assert "gating" not in restored.message
    found, wanted = endpoints(model.backbone, clip), theirs(clip)
    for stage in "2345":
        error = np.abs(found[f"res{stage}"] - wanted[stage]).max()
        assert error < 1e-5 * wanted[stage].numpy().max(), stage


@pytest.fixture(scope="module")
def saved(nano, tmp_path_factory):
    """Paths of a checkpoint of each family: of a whole model, and of a backbone."""
    paths = {}
    for model_id, backbone in BACKBONES.items():
        folder = tmp_path_factory.mktemp(model_id)
        model = nano(backbone=backbone)
        alone = tf.train.Checkpoint(backbone=model.backbone)
        paths[model_id] = _save(model, folder), alone.save(folder / "backbone")
    return paths


@pytest.mark.parametrize(
    "of, into",
    slow_but(
        [("nano", "slowonly_nano"), ("slowonly_nano", "nano")],
        itertools.permutations(BACKBONES, 2),
    ),
    ids=str,
)
def test_another_network_is_refused_with_a_table(nano, saved, of, into):
    model = types.SimpleNamespace(config=nano(backbone=BACKBONES[into]).config)
    recorded, unrecorded = saved[of]
    told = "It is not a MoViNet and records no config, without which"
    for path, last in (
        (recorded, f"It is {of}"),
        (unrecorded, "It is nano, conv_type" if of == "nano" else told),
    ):
        with pytest.raises(ValueError, match="does not hold this model's") as caught:
            restore(model, path)
        first, *table, end = str(caught.value).splitlines()
        assert first.startswith(f"{path} does not hold this model's backbone, {into}")
        rows = [row.split()[0] for row in table]
        assert rows == ["matched", "missing", "unused", "shape"]
        assert end.startswith(last)
