"""Tests of the model's config."""

import dataclasses
import json

import pytest

from grw_tf.models import BackboneConfig, HeadConfig, ModelConfig, SmoothingConfig
from grw_tf.models.movinet_backbone import GATES
from grw_tf.models.presets import PRESETS

CONFIG = ModelConfig(
    backbone=BackboneConfig(model_id="a2", causal=False, activation="swish"),
    head=HeadConfig(type="transformer", depth=3),
    smoothing=SmoothingConfig(layers=("final", "head"), window=6, seed=4),
    num_classes=7,
    fps=12.0,
)


def test_json_round_trip():
    assert ModelConfig.from_json(CONFIG.to_json()) == CONFIG


def test_json_holds_every_field():
    assert json.loads(CONFIG.to_json()).keys() == {
        field.name for field in dataclasses.fields(ModelConfig)
    }


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"backbon": {}}, "unknown key 'backbon'; did you mean 'backbone'"),
        ({"head": {"dept": 2}}, r"unknown key 'head.dept'; did you mean 'depth'"),
        ({"head": {"zzz": 2}}, r"unknown key 'head.zzz'; known: .*num_heads"),
        ({"head": 3}, "head must be a mapping of keys, not 3"),
        ({"frames": "8"}, "frames must be of type int, not '8'"),
        ({"fps": True}, "fps must be of type float, not True"),
        ({"head": {"num_heads": 2.5}}, "head.num_heads .* type int, not 2.5"),
        ({"smoothing": {"layers": [1]}}, r"layers\[0\] must be of type str, not 1"),
    ],
)
def test_json_that_is_no_config_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        ModelConfig.from_json(json.dumps(values))


@pytest.mark.parametrize(
    ("config_class", "fields", "message"),
    [
        (ModelConfig, {"num_classes": 0}, "classes must be from 1 to 1048576, got 0"),
        (ModelConfig, {"frames": -1}, "frames must be from 1 to 10000, got -1"),
        (ModelConfig, {"fps": float("nan")}, "fps must be above 0 .* got nan"),
        (ModelConfig, {"fps": float("inf")}, "fps must be .* at most 1000, got inf"),
        (ModelConfig, {"frame_fit": "crop"}, "fit .* short_side, square, got 'crop'"),
        (HeadConfig, {"type": "linear"}, "head.type must be one of .* got 'linear'"),
        (HeadConfig, {"num_heads": 0}, "head.num_heads must be from 1 to 65536, got 0"),
    ],
)
def test_values_that_no_model_can_have_are_refused(config_class, fields, message):
    with pytest.raises(ValueError, match=message):
        config_class(**fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"window": 51}, "N=50 .* T=51"),
        ({"window": 2}, "at least 3 frames"),
        ({"window": 13, "orders": "exact"}, "reaches T=12, got T=13"),
    ],
)
def test_windows_that_do_not_fit_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        ModelConfig(smoothing=SmoothingConfig(layers=("final",), **fields))


def test_layers_are_a_list_of_names():
    with pytest.raises(ValueError, match="a list, got the string 'final'"):
        SmoothingConfig(layers="final")
    config = ModelConfig(smoothing=SmoothingConfig(layers=["stem"]))
    assert ModelConfig.from_json(config.to_json()) == config


def test_whole_numbers_are_floats_too():
    assert ModelConfig.from_json('{"fps": 5}').fps == 5


def test_configs_from_before_frame_fit_are_square_and_say_so(caplog):
    old = json.loads(CONFIG.to_json())
    del old["frame_fit"]
    config = ModelConfig.from_json(json.dumps(old))
    assert config == dataclasses.replace(CONFIG, frame_fit="square")
    assert "read as 'square'" in caplog.text


def test_recorded_frame_fit_is_kept_without_a_word(caplog):
    for fit in ("short_side", "square"):
        config = dataclasses.replace(CONFIG, frame_fit=fit)
        assert ModelConfig.from_json(config.to_json()).frame_fit == fit
    assert not caplog.text


def test_official_presets_keep_the_aspect_and_published_ones_do_not():
    for name, config in PRESETS.items():
        fit = "square" if name.endswith("_grw") else "short_side"
        assert config.frame_fit == fit, name


def test_each_gate_of_the_config_is_built():
    assert set(BackboneConfig().family.choices["gating_activation"]) == set(GATES)
