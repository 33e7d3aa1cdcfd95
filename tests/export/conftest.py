"""Fixtures of tests of exporting."""

import functools

import pytest


@pytest.fixture
def output(tmp_path):
    """The path of a file to export."""
    return tmp_path / "model.tflite"


@pytest.fixture
def configured(output):
    """A function that returns a config of these fields and the output."""
    from grw_tf.export.export_config import ExportConfig

    return functools.partial(ExportConfig, output=str(output))


@pytest.fixture(scope="module")
def clips():
    """Four videos to calibrate toy models with."""
    from moving_waves import moving_waves

    return [moving_waves(seed, 100) for seed in range(4)]


@pytest.fixture(scope="module")
def float_file(nano, request):
    """A function that converts one of the module's MODELS, once.

    Each of them is (backbone, head, frames_per_step, image_dtype).
    """
    from toy_heads import HEADS

    from grw_tf.export.conversion import convert
    from grw_tf.export.streaming_network import StreamingNetwork

    @functools.cache
    def make(name):
        backbone, head, frames, dtype = request.module.MODELS[name]
        model = nano(backbone=backbone, head=HEADS[head])
        return convert(StreamingNetwork(model, frames, dtype))

    return make
