"""Tests of the linear probe, on a tiny backbone and clips of two colors."""

import json

import pytest
import tensorflow as tf

from grw_tf.evaluation.linear_probe import LinearProbeConfig, probe
from grw_tf.models.presets import PRESETS


@pytest.fixture
def config(nano, colored_records, tmp_path, monkeypatch):
    """A function that makes a config of a probe of a tiny backbone."""
    model = nano(num_classes=7)
    monkeypatch.setitem(PRESETS, "nano", model.config)
    prefix = tf.train.Checkpoint(model=model).save(str(tmp_path / "backbone"))

    settings = {
        "preset": "nano",
        "checkpoint": prefix,
        "train_records": f"{colored_records}/train-*",
        "records": f"{colored_records}/test-*",
        "output_dir": str(tmp_path / "probe"),
        **dict(frames=4, size=32),
    }
    return lambda **changes: LinearProbeConfig(**settings | changes)


@pytest.mark.slow
def test_colors_are_told_apart(config, tmp_path):
    results = probe(config())
    assert results["top_1"] == 1.0
    written = json.loads((tmp_path / "probe" / "results.json").read_text())
    assert written["confusion"] == [[4, 0], [0, 4]]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"preset": "a9"}, "Unknown model preset 'a9'"),
        ({"frames": 0}, "frames"),
        ({"checkpoint": "/none"}, "There is no checkpoint /none"),
        ({"records": "/none/*"}, "No file matches /none/"),
        pytest.param(
            {"fps": 3.0}, "no whole multiple of the model's 3", marks=pytest.mark.slow
        ),
    ],
)
def test_what_does_not_fit_is_refused(config, changes, message):
    with pytest.raises(ValueError, match=message):
        probe(config(**changes))
