"""Tests of the published numbers for Kinetics-600."""

import pytest

from grw_tf.kinetics600.published_numbers import published_top_1
from grw_tf.models import preset


@pytest.mark.parametrize(
    ("name", "top_1"),
    [
        *(("a0_stream_grw", 0.784), ("a1_stream_grw", 0.819)),
        *(("a2_stream_grw", 0.833), ("a3_base_grw", 0.856)),
        *(("a0_stream", None), ("a0_base_grw", None), ("a3_stream_grw", None)),
        *(("mobilenet_v3_small_grw", None), ("slowonly_50", None)),
    ],
)
def test_accuracies_are_of_the_published_weights(name, top_1):
    config = preset(name, num_classes=600)
    assert published_top_1(config) == top_1
    assert published_top_1(preset(name, num_classes=400)) is None
