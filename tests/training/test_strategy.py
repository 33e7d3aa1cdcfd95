"""Tests of the devices that are taken."""

import pytest
import tensorflow as tf
from official.common import distribute_utils
from official.core.config_definitions import RuntimeConfig

from grw_tf.training.strategy import build_strategy


@pytest.fixture
def gpus(monkeypatch):
    """A function that pretends GPUs, and returns how many a config would take."""

    def taken(there, **runtime):
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: [0] * there)
        asked = {}
        monkeypatch.setattr(
            distribute_utils,
            "get_distribution_strategy",
            lambda **options: asked.update(options),
        )
        build_strategy(RuntimeConfig(**runtime))
        return asked["num_gpus"]

    return taken


def test_gpus_are_not_left_idle(gpus):
    assert gpus(4, distribution_strategy="one_device") == 1
    assert gpus(4, distribution_strategy="mirrored") == 4
    assert gpus(4, distribution_strategy="mirrored", num_gpus=2) == 2
    assert gpus(0, distribution_strategy="one_device") == 0


def test_more_gpus_than_there_are_are_refused(gpus):
    with pytest.raises(ValueError, match="num_gpus is 2, but TensorFlow sees 1"):
        gpus(1, distribution_strategy="mirrored", num_gpus=2)
