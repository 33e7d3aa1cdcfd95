"""Tests that the repeated frames of clips that are too short are not smoothed."""

import numpy as np
import pytest
import tensorflow as tf

from grw_tf.losses import cut_windows, grw_loss
from grw_tf.models import HeadConfig, SmoothingConfig
from grw_tf.models.backbone import endpoints
from grw_tf.models.smoothing import new_frames

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
