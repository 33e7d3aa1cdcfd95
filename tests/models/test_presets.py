"""Tests of the configs of the official and the published models."""

import pytest

from grw_tf.models import presets

# Size, frames and frames per second.
CLIPS = {
    "a0": (172, 50, 5.0),
    "a1": (172, 50, 5.0),
    "a2": (224, 50, 5.0),
    "a3": (256, 120, 12.0),
    "a4": (290, 80, 8.0),
    "a5": (320, 120, 12.0),
}


@pytest.mark.parametrize("model_id", CLIPS)
def test_official_stream_models(model_id):
    config = presets.preset(f"{model_id}_stream")
    backbone = config.backbone
    assert (config.size, config.frames, config.fps) == CLIPS[model_id]
    assert backbone.causal
    assert (backbone.conv_type, backbone.se_type) == ("2plus1d", "2plus3d")
    assert backbone.activation == "hard_swish"
    assert backbone.gating_activation == "hard_sigmoid_keras"
    assert backbone.use_positional_encoding == (model_id in ("a3", "a4", "a5"))
    assert config.head.type == "official"
    assert config.smoothing.layers == ()


@pytest.mark.parametrize("model_id", CLIPS)
def test_official_base_models(model_id):
    config = presets.preset(f"{model_id}_base")
    backbone = config.backbone
    assert (config.size, config.frames, config.fps) == CLIPS[model_id]
    assert not backbone.causal and not backbone.use_positional_encoding
    assert (backbone.conv_type, backbone.se_type) == ("3d", "3d")
    assert (backbone.activation, backbone.gating_activation) == ("swish", "sigmoid")


@pytest.mark.parametrize("kind", ["stream", "base"])
@pytest.mark.parametrize("model_id", CLIPS)
def test_published_recipe_starts_from_the_official_backbone(model_id, kind):
    official = presets.preset(f"{model_id}_{kind}")
    config = presets.preset(f"{model_id}_{kind}_grw")
    assert config.backbone == official.backbone
    assert (config.size, config.frames, config.fps) == CLIPS[model_id]
    assert config.head.type == "transformer"
    assert config.smoothing.layers == ("final",)
    assert (config.smoothing.weight, config.smoothing.alpha) == (0.1, 0.5)
    assert config.smoothing.window == (6 if config.fps == 12.0 else 5)


def test_fields_can_be_changed():
    config = presets.preset("a0_stream", num_classes=9)
    assert config.num_classes == 9
    assert config.backbone == presets.preset("a0_stream").backbone


def test_unknown_name_lists_the_known():
    with pytest.raises(ValueError, match="'a9_stream'; known: a0_base, .*a5_stream"):
        presets.preset("a9_stream")
