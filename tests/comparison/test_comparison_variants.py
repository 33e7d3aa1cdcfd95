"""Tests of what each variant of a comparison changes."""

import dataclasses

import pytest

from grw_tf.comparison.variants import (
    check_endpoint,
    last_block,
    make_variant,
    split_names,
    with_shared_head,
)
from grw_tf.models import BackboneConfig, HeadConfig, ModelConfig, SmoothingConfig
from grw_tf.models.regularization_config import RegularizationConfig, RMSConfig

OWN = ModelConfig(
    head=HeadConfig(type="causal_transformer"),
    smoothing=SmoothingConfig(layers=("block1_layer0",), window=4, weight=0.3),
    regularization=RegularizationConfig(
        methods=("rms", "cutmix"), rms=RMSConfig(filter="gaussian")
    ),
)


def test_baseline_is_first_and_always_there():
    assert split_names(" grw + rms ,") == ["baseline", "grw+rms"]
    assert split_names("rms, grw_final") == ["baseline", "rms", "grw_final"]
    assert split_names("rms,baseline") == ["baseline", "rms"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("grw_finl", "'grw_finl' is no part of one; did you mean 'grw_final'"),
        ("rms+baseline", "'baseline' is no part of one"),
        ("x", "known: baseline, or by \\+ grw, grw_final, .*, cutmix, mixup"),
        ("rms,rms", "'rms' names the same thing twice"),
        ("grw+rms,rms+grw", "'rms\\+grw' names the same thing twice"),
        ("rms+rms", "'rms\\+rms' names the same thing twice"),
        ("baseline", "name at least one beside the baseline"),
        ("", "name at least one beside the baseline"),
    ],
)
def test_names_that_make_no_sense_are_refused(names, message):
    with pytest.raises(ValueError, match=message):
        split_names(names)


@pytest.mark.parametrize(
    ("name", "layers", "methods"),
    [
        ("baseline", (), ()),
        ("grw", ("block1_layer0",), ()),
        ("grw_final", ("final",), ()),
        ("grw_intermediate", ("block4_layer3",), ()),
        ("rms", (), ("rms",)),
        ("grw+rms", ("block1_layer0",), ("rms",)),
        ("shake_drop+grw_final+mixup", ("final",), ("shake_drop", "mixup")),
        ("grw_final+grw_intermediate", ("final", "block4_layer3"), ()),
    ],
)
def test_a_variant_is_what_its_name_says_and_nothing_else(name, layers, methods):
    config = make_variant(name, OWN).config
    assert config.smoothing == dataclasses.replace(OWN.smoothing, layers=layers)
    assert config.regularization.methods == methods
    for field in ("backbone", "head", "num_classes", "frames", "size", "fps"):
        assert getattr(config, field) == getattr(OWN, field)


def test_strengths_are_the_configs_own_where_they_act():
    assert make_variant("rms", OWN).config.regularization.rms.filter == "gaussian"
    # The experiment's checks refuse settings of what does not act.
    assert make_variant("grw", OWN).config.regularization == RegularizationConfig()


def test_grw_without_layers_in_the_config_is_of_the_final_ones():
    plain = dataclasses.replace(OWN, smoothing=SmoothingConfig())
    assert make_variant("grw", plain).config.smoothing.layers == ("final",)


def test_own_head_is_shared_but_for_the_official_one_under_final_smoothing():
    official = dataclasses.replace(OWN, head=HeadConfig(dropout_rate=0.3))
    assert with_shared_head(OWN, ["baseline", "grw_final"]) is OWN
    assert with_shared_head(official, ["baseline", "rms", "grw"]) is official
    changed = with_shared_head(official, ["baseline", "grw_final"])
    assert changed.head == HeadConfig(type="transformer", dropout_rate=0.3)


@pytest.mark.parametrize(
    ("model_id", "last"),
    [("a0", "block4_layer3"), ("nano", "block1_layer1"), ("slowonly_nano", "res5")],
)
def test_intermediate_smoothing_is_of_the_last_block(model_id, last):
    config = ModelConfig(backbone=BackboneConfig.of_family(model_id), size=32)
    assert last_block(config) == last
    check_endpoint(config, last)


def test_unknown_endpoint_is_named():
    with pytest.raises(ValueError, match="=block9 is no endpoint of a0; known: stem, "):
        check_endpoint(OWN, "block9")


def test_variants_are_described():
    told = make_variant("grw_final+rms", OWN).describe()
    assert told.startswith("GRW smoothing of the final embeddings: windows of 4 frames")
    assert "weight 0.3" in told and "filter gaussian" in told
    assert make_variant("baseline", OWN).describe() == (
        "neither smoothing nor a regulariser"
    )
