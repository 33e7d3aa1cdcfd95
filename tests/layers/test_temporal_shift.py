"""Tests of temporal shifts against their definition."""

import numpy as np
import pytest
import tensorflow as tf

from grw_tf.layers.temporal_shift import TemporalShift


def _shifted(clips, past, moving):
    """Shifts clips [batch, time, height, width, channels] frame by frame."""
    found = clips.copy()
    found[:, 0, ..., :moving] = past
    found[:, 1:, ..., :moving] = clips[:, :-1, ..., :moving]
    return found, clips[:, -1, ..., :moving]


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(("fraction", "moving"), [(8, 2), (4, 4)])
def test_channels_move_to_the_next_frame_of_their_clip(batch, fraction, moving):
    rng = np.random.default_rng(0)
    clips = rng.normal(size=(batch, 5, 2, 3, 17)).astype(np.float32)
    past = rng.normal(size=(batch, 2, 3, moving)).astype(np.float32)
    frames, last = TemporalShift(fraction)(
        tf.reshape(clips, (-1, 2, 3, 17)), past=tf.constant(past)
    )
    expected, expected_last = _shifted(clips, past, moving)
    np.testing.assert_array_equal(tf.reshape(frames, clips.shape), expected)
    np.testing.assert_array_equal(last, expected_last)


def test_parts_of_a_clip_one_after_the_other_give_the_clips_frames():
    x = tf.random.normal((6, 2, 2, 8))
    layer, past = TemporalShift(), tf.zeros((1, 2, 2, 1))
    whole, _ = layer(x, past=past)
    parts = []
    for start, stop in ((0, 1), (1, 2), (2, 6)):
        part, past = layer(x[start:stop], past=past)
        parts.append(part)
    np.testing.assert_array_equal(tf.concat(parts, 0), whole)


def test_config_makes_the_same_layer():
    assert TemporalShift.from_config(TemporalShift(4).get_config()).fraction == 4
