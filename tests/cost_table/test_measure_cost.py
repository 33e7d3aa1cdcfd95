"""Tests of counting what a model costs."""

import dataclasses
import math

import pytest

from grw_tf.cost_table.measure import measure
from grw_tf.models import BackboneConfig, HeadConfig, ModelConfig, SmoothingConfig
from grw_tf.weights.layout import model_layout

_NANO = {"num_classes": 5, "frames": 8, "size": 32}
_STREAM = BackboneConfig("nano")
_BASE = BackboneConfig("nano", causal=False, conv_type="3d", se_type="3d")


def _parameters(config, of_head):
    """Counts what training changes from the layout, which is known without building."""
    return sum(
        math.prod(shape)
        for name, shape in model_layout(config).items()
        if "moving_" not in name and name.startswith("backbone/") != of_head
    )


@pytest.fixture(
    scope="module", params=["stream", "positions", "base", "transformer", "slowonly"]
)
def measured(request):
    """A config and its cost."""
    fields = {
        "stream": {"backbone": _STREAM},
        "positions": {
            "backbone": dataclasses.replace(_STREAM, use_positional_encoding=True)
        },
        "base": {"backbone": _BASE},
        "transformer": {
            "backbone": _STREAM,
            "head": HeadConfig(type="transformer", mlp_dim=32),
            "smoothing": SmoothingConfig(layers=("final",)),
        },
        "slowonly": {"backbone": BackboneConfig.of_family("slowonly_nano")},
    }
    config = ModelConfig(**_NANO, **fields[request.param])
    return config, measure(config)


def test_parameters_are_those_of_the_layout(measured):
    config, cost = measured
    assert cost.backbone_parameters == _parameters(config, of_head=False)
    assert cost.head_parameters == _parameters(config, of_head=True)
    values = sum(map(math.prod, model_layout(config).values()))
    assert cost.weight_bytes == 4 * values


def test_head_is_counted_apart(measured):
    config, cost = measured
    if config.head.type == "transformer":
        frames, width, hidden = 8, 64, 32
        # The affine map; query, key, value and output; the hidden layer, both ways.
        dense = frames * (width * width * 5 + 2 * width * hidden)
        attention = 2 * frames * frames * width
        assert cost.head_multiply_adds == dense + attention + width * 5
    elif config.backbone.family == "movinet":
        assert cost.head_multiply_adds == 64 * 128 + 128 * 5
    else:
        assert cost.head_multiply_adds == 32 * 5
    assert cost.multiply_adds == cost.backbone_multiply_adds + cost.head_multiply_adds


def test_stream_has_the_cost_and_the_memory_of_a_frame(measured):
    config, cost = measured
    if not config.backbone.causal:
        assert cost.frame_multiply_adds == cost.multiply_adds / 8
        assert cost.state_bytes == 0
        assert cost.peak_bytes == cost.clip_peak_bytes
        return
    assert cost.state_bytes > 0
    assert 2 * cost.state_bytes < cost.peak_bytes < cost.clip_peak_bytes
    # A causal backbone sees each frame by itself, so a clip costs as its frames do.
    affine = 64 * 64
    at_each = cost.head_multiply_adds if config.head.type == "official" else affine
    assert cost.frame_multiply_adds == ((cost.backbone_multiply_adds / 8) + at_each)
    assert cost.peak_bytes < cost.unshared_bytes
