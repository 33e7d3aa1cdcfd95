"""Tests that the repeated frames of clips that are too short are not smoothed."""

import numpy as np
import pytest
import tensorflow as tf

from grw_tf.losses import cut_windows, grw_loss
from grw_tf.models import (
    BackboneConfig,
    HeadConfig,
    ModelConfig,
    SmoothingConfig,
    build_model,
)
from grw_tf.models.backbone import endpoints
from grw_tf.models.smoothing import new_at_steps, new_frames

FRAMES, WINDOW = 8, 4
HEAD = HeadConfig(type="transformer", num_heads=2, mlp_dim=8)


@pytest.fixture(scope="module")
def clips():
    """Two clips [2, 8, 32, 32, 3]: one whole, one whose last frame is its third."""
    frames = np.random.default_rng(0).random((2, FRAMES, 32, 32, 3), np.float32)
    frames[1, 3:] = frames[1, 2]
    return tf.constant(frames)


def test_frames_that_differ_from_the_one_before_are_new(clips):
    expected = np.ones((2, FRAMES), bool)
    expected[1, 3:] = False
    np.testing.assert_array_equal(new_frames(clips), expected)


def test_their_windows_take_no_part_in_a_models_loss(nano, clips):
    smoothing = SmoothingConfig(layers=("final",), window=WINDOW)
    model = nano(head=HEAD, smoothing=smoothing, frames=FRAMES)
    z = model.project(endpoints(model.backbone, clips, training=True)["head"])
    of_windows = tf.reshape(grw_loss(cut_windows(z, WINDOW)), (2, FRAMES // WINDOW))
    model(clips, training=True)
    (loss,) = model.losses
    # Only the first window of the second clip counts: it has the third frame.
    expected = (tf.reduce_mean(of_windows[0]) + of_windows[1, 0]) / 2
    np.testing.assert_allclose(loss, 0.1 * expected, rtol=1e-5)


@pytest.mark.slow
def test_intermediate_smoothing_leaves_them_out_too(nano, clips):
    smoothing = SmoothingConfig(layers=("head",), window=WINDOW)
    losses = []
    for changed in (clips, clips.numpy().copy()):
        if isinstance(changed, np.ndarray):
            # Slight noise makes repeated frames new.
            changed[1, 4:] += 1e-6 * np.arange(1, 5)[:, None, None, None]
        model = nano(head=HEAD, smoothing=smoothing, frames=FRAMES)
        model(changed, training=True)
        losses.append(float(model.losses[0]))
    assert abs(losses[0] - losses[1]) > 1e-4 * losses[1]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (8, [1, 0, 0, 1, 1, 0, 0, 0]),
        (4, [1, 0, 1, 0]),
        (2, [1, 1]),
        (1, [1]),
        # Frames 0, 2 and 5.
        (3, [1, 0, 1]),
        (None, [1, 0, 0, 1, 1, 0, 0, 0]),
    ],
)
def test_fewer_frames_are_new_if_one_since_the_step_before_is(steps, expected):
    new = tf.constant([[1, 0, 0, 1, 1, 0, 0, 0]]) > 0
    actual = new_at_steps(new, steps)
    np.testing.assert_array_equal(actual, np.array([expected], bool))


def test_repeated_frames_are_left_out_where_a_network_has_fewer():
    frames = np.random.default_rng(0).random((1, 16, 32, 32, 3), np.float32)
    frames[0, 6:] = frames[0, 5]
    model = build_model(
        ModelConfig(
            backbone=BackboneConfig.of_family("csn_nano"),
            smoothing=SmoothingConfig(layers=("res3",), window=WINDOW),
            num_classes=3,
            frames=16,
            size=32,
        )
    )
    features = endpoints(model.backbone, frames, training=True)["res3"]
    assert features.shape[1] == 8
    z = tf.reduce_mean(features, (2, 3))
    z = (z - tf.reduce_mean(z, (0, 1))) / tf.sqrt(
        tf.math.reduce_variance(z, (0, 1)) + 1e-3
    )
    of_windows = grw_loss(cut_windows(z, WINDOW))
    model(frames, training=True)
    # The second window begins at frame 8.
    np.testing.assert_allclose(model.losses[0], 0.1 * of_windows[0], rtol=1e-4)


def test_place_with_too_few_frames_is_refused_with_both_numbers():
    config = ModelConfig(
        backbone=BackboneConfig.of_family("csn_nano"),
        smoothing=SmoothingConfig(layers=("final",), window=5),
        head=HEAD,
        num_classes=3,
        frames=32,
        size=32,
    )
    with pytest.raises(ValueError, match="'final', where csn_nano makes 4 of a clip's"):
        build_model(config)
