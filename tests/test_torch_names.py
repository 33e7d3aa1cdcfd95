"""Tests of PyTorch's names, against the key lists of the published models."""

import ast

import pytest

from grw_tf.models import preset
from grw_tf.weights.torch_names import counters, torch_tensors

PRESETS = {
    "a0s": "a0_stream_grw",
    "a1s": "a1_stream_grw",
    "a2s": "a2_stream_grw",
    "a3b": "a3_base_grw",
}


def published_shapes(shared, name):
    """Reads the shapes by key of a published model's state dict."""
    text = (shared / "vectors" / "torch_keys" / f"{name}_keys.txt").read_text()
    lines = text.split("# ---- full list ----\n")[1].splitlines()
    rows = (line.split("\t") for line in lines if line)
    return {key: ast.literal_eval(shape) for key, shape, _ in rows}


@pytest.mark.parametrize("name", PRESETS)
def test_keys_and_shapes_are_the_published_ones(shared, name):
    tensors = torch_tensors(preset(PRESETS[name]))
    shapes = {key: tensor.shape for key, tensor in tensors.items()}
    shapes |= dict.fromkeys(counters(shapes), ())
    assert shapes == published_shapes(shared, name)
