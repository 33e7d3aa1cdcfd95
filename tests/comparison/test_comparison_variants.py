"""Tests of what each variant of a comparison changes."""

import dataclasses
import json

import pytest
from official.core.train_utils import ParseConfigOptions

from grw_tf.comparison.fragments import read_fragments
from grw_tf.comparison.variants import make_variants
from grw_tf.models import BackboneConfig, HeadConfig, ModelConfig
from grw_tf.models.regularization_config import RegularizationConfig, RMSConfig
from grw_tf.models.smoothing_places import last_block
from grw_tf.training.experiments.parsing import parse_experiment
from grw_tf.training.experiments.yaml_config import frozen

EXPERIMENT = "movinet_a0_stream"
OWN = {
    "head": {"type": "transformer", "dropout_rate": 0.3},
    "smoothing": {"layers": ["block1_layer0"], "window": 4, "alpha": 0.3},
    "regularization": {
        "methods": ["rms", "cutmix"],
        "rms": {"blocks": ["block4"], "before": ["feature"]},
    },
}


def _experiment(model):
    return parse_experiment(
        ParseConfigOptions(
            experiment=EXPERIMENT,
            config_file=[],
            params_override=json.dumps({"task": {"model": model}}),
        )
    )


def _made(variants, model=OWN):
    shared = json.loads(json.dumps(_experiment(model).as_dict()))
    return make_variants(read_fragments(variants), shared, EXPERIMENT)


@pytest.mark.parametrize(
    ("name", "layers", "methods"),
    [
        ("grw", ("final",), ()),
        ("grw_intermediate", ("block4_layer3",), ()),
        ("rms", (), ("rms",)),
        ("grw+rms", ("final",), ("rms",)),
        ("shake_drop+grw+mixup", ("final",), ("shake_drop", "mixup")),
        ("grw+grw_intermediate", ("final", "block4_layer3"), ()),
    ],
)
def test_a_variant_is_what_its_name_says_and_nothing_else(name, layers, methods):
    baseline, variant = (made.config for made in _made(name))
    own = frozen(_experiment(OWN).task.model, ModelConfig)
    assert baseline.smoothing.layers == baseline.regularization.methods == ()
    assert variant.smoothing.layers == layers
    assert variant.regularization.methods == methods
    for config in (baseline, variant):
        for field in ("backbone", "head", "num_classes", "frames", "size", "fps"):
            assert getattr(config, field) == getattr(own, field)


def test_settings_that_a_fragment_leaves_are_the_configs_own_where_they_act():
    _, grw, rms = (made.config for made in _made("grw,rms"))
    assert (grw.smoothing.window, grw.smoothing.alpha) == (4, 0.5)
    assert rms.regularization.rms == RMSConfig(blocks=("block4",), before=("feature",))
    # The experiment's checks refuse settings of what does not act.
    assert grw.regularization == RegularizationConfig()


def test_head_of_a_variant_is_that_of_all():
    official = {"head": {"type": "official", "dropout_rate": 0.3}}
    heads = {made.config.head for made in _made("rms", official)}
    assert heads == {HeadConfig(dropout_rate=0.3)}
    heads = {made.config.head for made in _made("grw,rms", official)}
    assert heads == {HeadConfig(type="transformer", dropout_rate=0.3)}
    heads = {made.config.head for made in _made("grw_mean,rms", official)}
    assert heads == {HeadConfig(type="mean", dropout_rate=0.3)}


def test_variants_of_several_heads_are_refused():
    for variants in ("grw,grw:head.type=causal_transformer", "grw,grw_mean"):
        with pytest.raises(ValueError, match="set different heads: all variants have"):
            _made(variants)


def test_smoothing_of_a_mean_head_keeps_the_head():
    mean = OWN | {"head": {"type": "mean", "embed_dim": 16}}
    made = _made("grw_mean,grw_mean:smoothing.weight=0.02,rms", mean)
    assert {variant.config.head for variant in made} == {
        HeadConfig(type="mean", embed_dim=16)
    }
    assert [variant.config.smoothing.layers for variant in made] == [
        *((), ("final",), ("final",), ())
    ]


@pytest.mark.parametrize(
    ("model_id", "last"),
    [("a0", "block4_layer3"), ("nano", "block1_layer1"), ("slowonly_nano", "res5")],
)
def test_intermediate_smoothing_is_of_the_last_block(model_id, last):
    config = ModelConfig(backbone=BackboneConfig.of_family(model_id), size=32)
    assert last_block(config) == last


def test_unknown_place_is_named():
    with pytest.raises(
        ValueError, match="'block9', which is no place of a0 .*: stem, "
    ):
        _made("grw_intermediate:smoothing.layers=[block9]")


def test_final_smoothing_wants_a_head_with_final_embeddings(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("task: {model: {smoothing: {layers: [final]}}}")
    with pytest.raises(ValueError, match="'final', .*official; set task.model.head.ty"):
        _made(str(path), {})


def test_unknown_key_of_a_fragment_is_named(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("task: {model: {smoothing: {wieght: 1.0}}}")
    with pytest.raises(ValueError, match="Variant mine: unknown .*did you mean 'weigh"):
        _made(str(path))


def test_a_warm_up_of_smoothing_is_described():
    _, at_once, slow = _made("grw,grw:smoothing.warmup_steps=30")
    assert "weight 0.1, alpha 0.5" in at_once.describe()
    assert "weight 0.1 reached in 30 steps, alpha 0.5" in slow.describe()


def test_variants_are_described(tmp_path):
    path = tmp_path / "sharp.yaml"
    path.write_text("task: {losses: {label_smoothing: 0.0}}")
    baseline, both, sharp = _made(f"grw+rms_gf,{path}")
    told = both.describe()
    assert told.startswith("GRW smoothing of the final embeddings: windows of 4 frames")
    assert "weight 0.1" in told and "filter gaussian" in told
    assert baseline.describe() == "neither smoothing nor a regularizer"
    assert sharp.describe() == "task.losses.label_smoothing 0.0"
    assert dataclasses.asdict(sharp.config) == dataclasses.asdict(baseline.config)
