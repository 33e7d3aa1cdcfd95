"""Tests of the momentum and the places of batch normalizations in each family."""

import json

import pytest
import tensorflow as tf
from everyday import slow_but
from toy_backbones import BACKBONES
from toy_heads import HEADS

from grw_tf.models import BackboneConfig, ModelConfig
from grw_tf.models.batch_normalization import batch_normalizations
from grw_tf.weights.restore import restore

FAMILY_MOMENTUM = {
    "nano": 0.99,
    "slowonly_nano": 0.9,
    "slowonly_nano_bottleneck": 0.9,
    "slowfast_nano": 0.9,
    "csn_nano": 0.9,
    "mobilenet_v3_small": 0.99,
}


def _momenta(model):
    return {layer.momentum for layer in batch_normalizations(model.backbone)}


@pytest.mark.parametrize("model_id", slow_but(["nano", "slowonly_nano"], BACKBONES))
def test_family_has_its_own_momentum(nano, model_id):
    config = BackboneConfig.of_family(model_id)
    assert config.norm_momentum == FAMILY_MOMENTUM[model_id]
    model = nano(backbone={"model_id": model_id} | BACKBONES[model_id])
    assert _momenta(model) == {FAMILY_MOMENTUM[model_id]}


@pytest.mark.parametrize("model_id", slow_but(["slowonly_nano"], BACKBONES))
def test_given_momentum_reaches_every_batch_normalization(nano, model_id):
    backbone = {"model_id": model_id} | BACKBONES[model_id] | {"norm_momentum": 0.5}
    model = nano(backbone=backbone)
    assert len(batch_normalizations(model.backbone)) > 8
    assert _momenta(model) == {0.5}


@pytest.mark.slow
def test_momentum_moves_the_statistics(nano, clip):
    model = nano(scratch=True, backbone={"norm_momentum": 0.0})
    layer = batch_normalizations(model.backbone)[0]
    model(clip, training=True)
    moved = layer.moving_mean.numpy()
    layer.moving_mean.assign(tf.zeros_like(moved))
    model(clip, training=True)
    # Nothing is left of what was there before.
    assert layer.moving_mean.numpy() == pytest.approx(moved, rel=1e-6)


@pytest.mark.parametrize("momentum", [-0.1, 1.0, 1.5, float("nan")])
def test_momentum_that_never_or_wrongly_moves_is_refused(momentum):
    with pytest.raises(ValueError, match="norm_momentum must be from 0 to below 1"):
        BackboneConfig(norm_momentum=momentum)


def test_config_of_before_reads_with_the_momentum_of_its_family():
    for model_id, momentum in FAMILY_MOMENTUM.items():
        config = ModelConfig(backbone=BackboneConfig.of_family(model_id))
        values = json.loads(config.to_json())
        del values["backbone"]["norm_momentum"]
        read = ModelConfig.from_json(json.dumps(values))
        assert read == config
        assert read.backbone.norm_momentum == momentum


@pytest.mark.slow
def test_checkpoint_of_another_momentum_is_restored(nano, tmp_path):
    model = nano()
    checkpoint = tf.train.Checkpoint(model=model).save(str(tmp_path / "model"))
    other = nano(scratch=True, backbone={"norm_momentum": 0.5})
    for weight in other.weights:
        weight.assign(tf.zeros_like(weight))
    tf.train.Checkpoint(model=other).restore(checkpoint).assert_consumed()
    tf.debugging.assert_equal(other.weights[0], model.weights[0])
    restore(other, checkpoint)


@pytest.mark.parametrize("head", slow_but(["transformer"], ["official", "transformer"]))
def test_heads_have_no_batch_normalization(nano, head):
    model = nano(head=HEADS[head])
    layers = batch_normalizations(model.backbone)
    assert layers and len(batch_normalizations(model)) == len(layers)
