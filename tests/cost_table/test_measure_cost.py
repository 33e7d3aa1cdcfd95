"""Tests of counting what a model costs."""

import math

import pytest
from everyday import slow_but
from official.projects.movinet.modeling.movinet import (
    BLOCK_SPECS,
    HeadSpec,
    StemSpec,
)

from grw_tf.cost_table.measure import measure
from grw_tf.models import (
    BackboneConfig,
    HeadConfig,
    ModelConfig,
    SmoothingConfig,
    preset,
)
from grw_tf.weights.model_variables import model_layout

_NANO = {"num_classes": 5, "frames": 8, "size": 32}
_STREAM = BackboneConfig("nano")
_FIELDS = {
    "stream": {"backbone": _STREAM},
    "positions": {"backbone": BackboneConfig("nano", use_positional_encoding=True)},
    "base": {"backbone": BackboneConfig("nano", False, "3d", "3d")},
    "transformer": {
        "backbone": _STREAM,
        "head": HeadConfig(type="transformer", mlp_dim=32),
        "smoothing": SmoothingConfig(layers=("final",)),
    },
    "slowonly": {"backbone": BackboneConfig.of_family("slowonly_nano")},
    "slowfast": {"backbone": BackboneConfig.of_family("slowfast_nano")},
    "csn": {"backbone": BackboneConfig.of_family("csn_nano")},
}


def _parameters(config, of_head):
    """Counts what training changes from the layout, which is known without building."""
    return sum(
        math.prod(shape)
        for name, shape in model_layout(config).items()
        if "moving_" not in name and name.startswith("backbone/") != of_head
    )


@pytest.fixture(scope="module", params=slow_but(["stream", "slowonly"], _FIELDS))
def measured(request):
    """A config and its cost."""
    config = ModelConfig(**_NANO, **_FIELDS[request.param])
    return config, measure(config)


@pytest.mark.slow
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
    elif config.backbone.family.name == "movinet":
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


def _by_hand(config):
    """Counts a MoViNet's multiply-adds block by block, as one would on paper."""
    frames, side, channels = config.frames, config.size, 3
    plain = config.backbone.conv_type == "3d"
    count = 0
    for spec in BLOCK_SPECS[config.backbone.model_id]:
        if isinstance(spec, StemSpec):
            side = -(-side // spec.strides[1])
            kernel = math.prod(spec.kernel_size)
            count += frames * side**2 * kernel * channels * spec.filters
            channels = spec.filters
        elif isinstance(spec, HeadSpec):
            count += frames * side**2 * channels * spec.project_filters
        else:
            filters = spec.base_filters
            layers = zip(
                spec.expand_filters, spec.kernel_sizes, spec.strides, strict=True
            )
            for expanded, (time, height, width), (_, stride, _) in layers:
                count += frames * side**2 * channels * expanded
                side = -(-side // stride)
                area = frames * side**2
                if plain:
                    count += area * expanded * time * height * width
                else:
                    count += area * expanded * (height * width + (time > 1) * time)
                # It sees a clip's mean, or each frame's beside that of all so far.
                means = 1 if plain else 2
                squeezed = max(8, 8 * math.floor(means * expanded / 32 + 0.5))
                times = 1 if plain else frames
                count += times * (means + 1) * expanded * squeezed
                count += area * expanded * filters
                if stride > 1 or channels != filters:
                    count += area * channels * filters
                channels = filters
    return count


def test_backbone_costs_what_its_blocks_do(measured):
    config, cost = measured
    if config.backbone.family.name == "movinet":
        assert cost.backbone_multiply_adds == _by_hand(config)


@pytest.mark.slow
def test_a0_costs_what_its_blocks_do():
    config = preset("a0_base")
    cost = measure(config)
    assert cost.backbone_multiply_adds == _by_hand(config) == 2_628_521_968
    # A hidden layer of 2048 channels between 480 and 600 classes.
    assert cost.head_multiply_adds == 2048 * (480 + 600)
