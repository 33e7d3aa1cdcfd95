"""Tests the search for the smallest file that makes the model's choices."""

import numpy as np
import pytest
from toy_heads import HEADS

from grw_tf.export.conversion import convert
from grw_tf.export.quantization import smallest
from grw_tf.export.quantization.calibration import calibrate
from grw_tf.export.quantization.logits_error import LogitsError
from grw_tf.export.quantization.operation_recipes import DEPTHWISE, quantize_layers
from grw_tf.export.quantization.quantize import quantize
from grw_tf.export.quantization.rollouts import Rollout
from grw_tf.export.quantization.smallest import find_layers, find_smallest
from grw_tf.export.regret import regret_of
from grw_tf.export.streaming_network import StreamingNetwork
from grw_tf.export.streams import drawn_streams


@pytest.fixture(scope="module")
def float_file(nano):
    return convert(StreamingNetwork(nano()))


@pytest.fixture(scope="module")
def clips(nano):
    return drawn_streams(nano().config, 3, frames=100)


@pytest.fixture(scope="module")
def error_of(float_file, clips):
    """A function that measures a quantized model's error, as the search does."""
    return LogitsError(float_file, calibrate(float_file, clips, ()).segments)


@pytest.fixture
def limited(monkeypatch, error_of):
    """A function that lets files pass by their error, so that any limit can be met."""

    def limit(least):
        monkeypatch.setattr(
            smallest._Judge, "passes", lambda _, content: error_of(content) <= least
        )

    return limit


def test_all_layers_are_found(nano, float_file):
    layers = {layer.name: layer for layer in find_layers(float_file)}
    assert len(layers) == len(find_layers(float_file))
    kinds = {layer.operation.value for layer in layers.values()}
    assert kinds == {"CONV_2D", "DEPTHWISE_CONV_2D"}
    stem = next(iter(layers.values()))
    assert stem.weights == 3 * 3 * 3 * 8
    assert stem.multiplications == 16 * 16 * stem.weights


@pytest.mark.slow
def test_layers_of_both_signatures_are_found(nano):
    model = nano(head=HEADS["transformer"])
    layers = find_layers(convert(StreamingNetwork(model)))
    assert "FULLY_CONNECTED" in {layer.operation.value for layer in layers}


def test_a_model_that_passes_in_8_bits_stays_in_them(float_file, clips):
    found = find_smallest(float_file, clips)
    assert (found.mode, found.layers) == ("dynamic", [])
    assert found.content == quantize(float_file, "dynamic").content
    assert not list(found.regret.failures())


@pytest.mark.slow
def test_choices_are_judged_after_each_frame_where_logits_are_on_demand(nano, clips):
    model = nano(head=HEADS["transformer"])
    floats = convert(StreamingNetwork(model))
    quantized = quantize_layers(floats, "dynamic")
    expected, actual = (
        np.stack([_logits_after_each_frame(content, clip) for clip in clips])
        for content in (floats, quantized)
    )
    assert expected.shape[:2] == (3, 100)
    judge = smallest._Judge(floats, clips, threads=1)
    assert judge.regret(quantized) == regret_of(expected, actual)


def _logits_after_each_frame(content, clip):
    """Returns logits [frames, classes], each of a part of the clip."""
    rollout = Rollout(content)
    found = []
    for end in range(1, len(clip) + 1):
        rollout.restart()
        found.append(rollout.logits(clip[:end])[-1])
    return np.stack(found)


@pytest.mark.slow
def test_layers_that_cost_most_compute_in_float32(float_file, clips, limited, error_of):
    low, high = (
        error_of(quantize_layers(float_file, precision))
        for precision in ("weight_only", "dynamic")
    )
    limited((low + high) / 2)
    found = find_smallest(float_file, clips)
    assert (found.mode, found.better) == ("dynamic", "weight_only")
    assert DEPTHWISE not in {layer.operation for layer in found.errors}
    assert 0 < len(found.layers) < len(found.errors)
    assert error_of(found.content) <= (low + high) / 2
    assert len(found.content) <= len(quantize_layers(float_file, "weight_only"))
    kept = {layer: found.errors[layer] for layer in found.layers}
    assert max(kept.values()) == max(found.errors.values())


@pytest.mark.slow
def test_layers_whose_weights_cost_most_have_them_in_float16(
    float_file, clips, limited, error_of
):
    low, high = (
        error_of(quantize_layers(float_file, precision))
        for precision in ("float16", "weight_only")
    )
    limited((low + high) / 2)
    found = find_smallest(float_file, clips)
    assert (found.mode, found.better) == ("weight_only", "float16")
    assert 0 < len(found.layers) < len(find_layers(float_file))
    assert error_of(found.content) <= (low + high) / 2
    sizes = [len(quantize_layers(float_file, p)) for p in ("weight_only", "float16")]
    assert sizes[0] < len(found.content) < sizes[1]


@pytest.mark.slow
def test_a_model_that_never_passes_ends_in_float16(float_file, clips, limited):
    limited(-1)
    found = find_smallest(float_file, clips)
    assert len(found.layers) == len(find_layers(float_file))
    in_float16 = quantize_layers(float_file, "float16")
    assert len(found.content) == pytest.approx(len(in_float16), rel=0.01)


@pytest.mark.slow
def test_report_names_the_layers_and_what_they_cost(
    float_file, clips, limited, error_of
):
    limited(0.99 * error_of(quantize_layers(float_file, "dynamic")))
    report = quantize(float_file, "auto", clips, threads=1).report
    assert (report["asked"], report["mode"]) == ("auto", "dynamic")
    assert report["regret"]["mean_regret"] >= 0
    assert report["layers"]
    for layer in report["layers"]:
        assert layer["precision"] == "weight_only"
        assert layer["logits_error"] > 0
        assert "Conv2D" in layer["name"]


def test_clips_are_needed(float_file):
    with pytest.raises(ValueError, match="auto needs clips to measure on"):
        quantize(float_file, "auto")
