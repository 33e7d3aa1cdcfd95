"""Tests of PyTorch's names, against the key lists of the published models."""

import pytest
from published_torch_shapes import PRESETS, published_shapes

from grw_tf.models import preset
from grw_tf.weights.torch.names import counters, torch_tensors


@pytest.mark.parametrize("name", PRESETS)
def test_keys_and_shapes_are_the_published_ones(shared, name):
    tensors = torch_tensors(preset(PRESETS[name]))
    shapes = {key: tensor.shape for key, tensor in tensors.items()}
    shapes |= dict.fromkeys(counters(shapes), ())
    assert shapes == published_shapes(shared, name)
