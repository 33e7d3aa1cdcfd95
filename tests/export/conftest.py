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
