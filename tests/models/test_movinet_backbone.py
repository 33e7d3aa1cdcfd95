"""Tests what our MoViNet computes differently, with the Model Garden's numbers."""

import numpy as np
import pytest
import tensorflow as tf
from official.vision.modeling.layers import nn_layers
from toy_backbones import BASE

from grw_tf.models import StreamingModel

SOLID = {
    "base": BASE,
    "causal": BASE | {"causal": True},
    "3d_2plus1d": {"conv_type": "3d_2plus1d"},
}
"""Backbones with 3-D convolutions."""


def _pair(nano, backbone):
    """Returns equal models that convolve by frames, and as the Model Garden does."""
    return [
        nano(backbone=dict(backbone) | {"conv3d_by_frames": by_frames})
        for by_frames in (True, False)
    ]


def _assert_equal(actual, expected):
    # Rounding differs, and grows through the layers.
    atol = 1e-5 * np.abs(expected).max()
    np.testing.assert_allclose(actual, expected, rtol=0, atol=atol)


@pytest.mark.slow
@pytest.mark.parametrize("backbone", SOLID)
def test_3d_convolutions_by_frames_give_the_same_logits(nano, clip, backbone):
    own, official = _pair(nano, SOLID[backbone])
    _assert_equal(own(clip), official(clip))


@pytest.mark.slow
def test_3d_convolutions_by_frames_give_the_same_stream(nano, clip):
    own, official = (StreamingModel(m) for m in _pair(nano, SOLID["causal"]))
    states = [model.initial_states(len(clip)) for model in (own, official)]
    for chunk in (clip[:, :1], clip[:, 1:4]):
        steps = [
            model.step(chunk, state)
            for model, state in zip((own, official), states, strict=True)
        ]
        states = [state for _, state in steps]
        _assert_equal(steps[0][0], steps[1][0])
        for name, state in states[0].items():
            _assert_equal(state, states[1][name])


def test_3d_convolutions_by_frames_keep_checkpoint_keys(nano, tmp_path):
    own, official = (
        dict(
            tf.train.list_variables(
                tf.train.Checkpoint(model=model).save(tmp_path / name)
            )
        )
        for name, model in zip(("own", "official"), _pair(nano, BASE), strict=True)
    )
    assert own == official


@pytest.mark.slow
def test_by_default_3d_convolutions_are_by_frames_on_a_cpu(nano, monkeypatch):
    def compiled(backbone):
        return [
            layer
            for layer in nano(fresh=True, backbone=backbone).submodules
            if type(layer) is nn_layers.Conv3D
        ]

    assert not compiled(BASE)
    devices = [*tf.config.list_logical_devices(), tf.config.LogicalDevice("g", "GPU")]
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda: devices)
    assert compiled(BASE)
    assert not compiled(BASE | {"conv3d_by_frames": True})


@pytest.mark.slow
def test_batches_are_normalized_by_the_fused_operation_on_one_replica(nano):
    model = nano(fresh=True)
    graph = tf.function(
        lambda clips: model(clips, training=True)
    ).get_concrete_function(tf.TensorSpec((2, 8, 32, 32, 3)))
    operations = [operation.type for operation in graph.graph.get_operations()]
    assert "FusedBatchNormV3" in operations
    assert "SquaredDifference" not in operations
