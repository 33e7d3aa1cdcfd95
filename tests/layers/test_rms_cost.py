"""Tests of what RMS and its rivals cost: nothing at inference, and the benchmark."""

import dataclasses

import numpy as np
import pytest
from toy_backbones import BACKBONES, BASE

from grw_tf.common.paired_timing import Seconds
from grw_tf.models import RegularizationConfig
from grw_tf.models.backbone import residual_blocks
from grw_tf.models.regularization import regularize
from scripts import benchmark_rms

OPTIONS = benchmark_rms.Options(size=32, frames=8, batch_size=1, rounds=2)
NETWORKS = BACKBONES | {"base": BASE}


@pytest.mark.parametrize(
    "network",
    [
        network
        if network == "slowonly_nano"
        else pytest.param(network, marks=pytest.mark.slow)
        for network in NETWORKS
    ],
)
def test_inference_has_the_operations_of_the_network_alone(nano, network):
    model = nano(fresh=True, backbone=NETWORKS[network])
    plain = benchmark_rms.inference_operations(model)
    assert len(plain) > 100
    blocks = residual_blocks(model.backbone, model.config.backbone)
    # Each method joins the ones before it, or replaces them.
    for method in ("rms", "shake_drop", "random_drop"):
        chosen = RegularizationConfig((method,))
        regularize(blocks, dataclasses.replace(model.config, regularization=chosen))
        assert benchmark_rms.inference_operations(model) == plain, method


def test_forms_differ_in_rms_alone():
    options = dataclasses.replace(
        OPTIONS, before="feature", blocks="block4, block2_layer1", std=0.7
    )
    configs = benchmark_rms.configs_of(options)
    plain = configs[benchmark_rms.PLAIN]
    assert (plain.size, plain.frames) == (32, 8) and not plain.regularization.methods
    filters = []
    for form, config in configs.items():
        if form != benchmark_rms.PLAIN:
            rms = config.regularization.rms
            filters.append(rms.filter)
            assert config.regularization.methods == ("rms",)
            assert rms.before == ("feature",)
            assert rms.blocks == ("block4", "block2_layer1")
            assert rms.std == 0.7
        same = {"regularization": plain.regularization}
        assert dataclasses.replace(config, **same) == plain
    assert filters == ["mean", "gaussian"]


def test_report_says_what_is_added():
    seconds = {
        form: Seconds(np.full(2, 1 + index / 4), np.full(2, 4.0))
        for index, form in enumerate(benchmark_rms.configs_of(OPTIONS))
    }
    operations = {form: ["Conv2D", "Relu"] for form in seconds}
    lines = benchmark_rms.report(OPTIONS, seconds, operations).splitlines()
    assert lines[0] == "a0_stream, clips [1, 8, 32, 32, 3], 2 steps of each"
    assert lines[3].startswith("RMS, mean filter        1250.0   4000.0     +25.0 %")
    assert "+50.0 ..  +50.0 %" in lines[4]
    assert (
        lines[5] == "RMS, mean filter: the same 2 operations at inference as without."
    )
    operations["RMS, mean filter"] = ["Conv2D"]
    lines = benchmark_rms.report(OPTIONS, seconds, operations).splitlines()
    assert lines[5] == "RMS, mean filter: 1 operations at inference, 2 without."


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"preset": "a9"}, "Unknown model preset 'a9'"),
        ({"rounds": 0}, "rounds is 0"),
        ({"filters": "mean,median"}, "Unknown filter 'median'"),
        ({"filters": ""}, "filters is empty"),
    ],
)
def test_invalid_options_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        benchmark_rms.configs_of(dataclasses.replace(OPTIONS, **change))
