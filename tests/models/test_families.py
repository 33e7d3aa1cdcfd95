"""Tests of the registry of families of backbones."""

import pytest
import tensorflow as tf
import tf_keras

from grw_tf.models import BackboneConfig, ModelConfig, RegularizationConfig, families
from grw_tf.models.backbone import build_backbone, endpoint_channels, endpoints
from grw_tf.models.families import Family, family_of, register


@pytest.fixture
def toy(monkeypatch):
    """A family of one network without blocks, known for a test."""

    def build(config):
        clips = tf_keras.Input((None, config.size, config.size, 3))
        x = tf_keras.layers.Conv2D(4, 3, 2)(clips)
        outputs = {"stem": x, "head": tf.reduce_mean(x, (2, 3), keepdims=True)}
        return tf_keras.Model(clips, outputs)

    monkeypatch.setattr(families, "FAMILIES", dict(families.FAMILIES))
    register(Family("toy", ("toy_net",), build, fixed={"activation": "relu"}))


def _config(**fields):
    backbone = BackboneConfig.of_family("toy_net")
    return ModelConfig(backbone=backbone, frames=4, size=16, **fields)


def test_registered_family_is_built(toy):
    assert family_of("toy_net").name == "toy"
    assert "toy_net" in families.model_ids()
    backbone = build_backbone(_config())
    assert endpoint_channels(backbone) == {"stem": 4, "head": 4}
    assert endpoints(backbone, tf.zeros((2, 3, 16, 16, 3)))["head"].shape == (
        2,
        3,
        1,
        1,
        4,
    )


def test_fields_that_the_family_fixes_are_checked(toy):
    assert BackboneConfig.of_family("toy_net").activation == "relu"
    with pytest.raises(ValueError, match="backbone.activation is 'swish': that of"):
        BackboneConfig("toy_net", activation="swish")


@pytest.mark.parametrize("method", ["rms", "random_drop"])
def test_regularizer_without_a_place_is_refused(toy, method):
    regularization = RegularizationConfig(methods=(method,))
    with pytest.raises(ValueError, match="have none: .*leave"):
        build_backbone(_config(regularization=regularization))


def test_family_and_ids_that_cannot_be_are_refused(toy):
    with pytest.raises(ValueError, match="a family of backbones 'toy' already"):
        register(Family("toy", (), None))
    with pytest.raises(ValueError, match="'net' of the family 'other' must begin"):
        register(Family("other", ("net",), None))


@pytest.mark.parametrize(
    ("model_id", "known"),
    [
        ("b0", ".*a0.*slowonly_34"),
        ("slowonly_18", "slowonly_34, slow"),
        ("mobilenet_v3_tiny", "mobilenet_v3_s"),
    ],
)
def test_unknown_model_id_is_refused_with_those_of_its_family_or_of_all(
    model_id, known
):
    for make in (BackboneConfig, BackboneConfig.of_family):
        with pytest.raises(ValueError, match=f"'{model_id}'; known: {known}"):
            make(model_id)
