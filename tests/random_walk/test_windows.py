"""Tests of cutting embeddings into windows."""

import numpy as np
import pytest

from grw_tf.losses import cut_windows

Z = np.arange(2 * 7 * 3, dtype="float32").reshape(2, 7, 3)


def test_windows_follow_each_other_and_the_remainder_is_dropped():
    windows = cut_windows(Z, 3).numpy()
    expected = [Z[0, :3], Z[0, 3:6], Z[1, :3], Z[1, 3:6]]
    np.testing.assert_array_equal(windows, expected)


def test_one_window_may_take_the_whole_clip():
    np.testing.assert_array_equal(cut_windows(Z, 7), Z)


def test_too_few_frames_are_an_error_that_names_both_numbers():
    with pytest.raises(ValueError, match="N=7 .* T=8"):
        cut_windows(Z, 8)


def test_a_window_needs_three_frames():
    with pytest.raises(ValueError, match="at least 3 frames.*window=2"):
        cut_windows(Z, 2)


def test_embeddings_must_be_of_rank_3():
    with pytest.raises(ValueError, match=r"\[batch, N, K\], got \(2, 7\)"):
        cut_windows(Z[:, :, 0], 3)
