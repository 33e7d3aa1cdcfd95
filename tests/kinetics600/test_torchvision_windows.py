"""Behavior of cutting videos to windows as torchvision does."""

import itertools

import numpy as np
import pytest

from grw_tf.kinetics600.torchvision_windows import sample_count, sampled_frames

NTSC, FILM = 30000 / 1001, 24000 / 1001


def _windows(frames, rate, fps, length):
    """Returns the frames of each whole window, int64 [windows, length]."""
    windows = sample_count(frames, rate, fps) // length
    indices = list(itertools.islice(sampled_frames(rate, fps), windows * length))
    return np.array(indices, np.int64).reshape(windows, length)


@pytest.mark.parametrize(
    ("frames", "rate", "fps", "length", "expected"),
    [
        # Every sixth; of what is left over, a sixth begun counts, if the step is whole.
        (31, 30.0, 5.0, 3, [[0, 6, 12], [18, 24, 30]]),
        (30, 30.0, 5.0, 3, [[0, 6, 12]]),
        # Step 5.994, by hand: 5.99, 11.99, 17.98; of 24 frames 4.004 samples.
        (24, NTSC, 5.0, 4, [[0, 5, 11, 17]]),
        # 23 frames are 3.8 samples, though the fourth would be there.
        (23, NTSC, 5.0, 4, []),
        # Step 4.795: 4.8, 9.6, 14.4, 19.2, 24.0.
        (29, FILM, 5.0, 6, [[0, 4, 9, 14, 19, 23]]),
        (16, 15.0, 5.0, 3, [[0, 3, 6], [9, 12, 15]]),
        # Step 1.25.
        (10, 15.0, 12.0, 4, [[0, 1, 2, 3], [5, 6, 7, 8]]),
        (4, 5.0, 5.0, 2, [[0, 1], [2, 3]]),
        # Fewer frames a second than wanted: some come twice or thrice.
        (4, 5.0, 12.0, 9, [[0, 0, 0, 1, 1, 2, 2, 2, 3]]),
        # 110 x 12 / 11 is 120, but 110 x (12 / 11) just below: there is a whole window.
        (110, 11.0, 12.0, 120, [[11 * k // 12 for k in range(120)]]),
        (0, 30.0, 5.0, 2, []),
    ],
)
def test_windows_are_those_by_hand(frames, rate, fps, length, expected):
    found = _windows(frames, rate, fps, length)
    assert found.shape == (len(expected), length)
    assert found.tolist() == expected


def test_ten_seconds_are_one_published_clip():
    for rate, frames in ((30.0, 300), (NTSC, 300), (25.0, 250), (FILM, 240)):
        for fps, length in ((5.0, 50), (12.0, 120)):
            assert len(_windows(frames, rate, fps, length)) == 1, (rate, fps)
    # One frame less is 49.88 samples.
    assert not len(_windows(299, NTSC, 5.0, 50))


def _restated(frames, rate, fps, length):
    """What VideoClips does, by arrays: resample time stamps, unfold, drop the rest."""
    stamps = np.arange(frames)
    step = rate / fps
    if step == int(step):
        stamps = stamps[:: int(step)]
    else:
        kept = np.arange(int(frames * fps / rate), dtype=np.float32)
        stamps = stamps[(kept * np.float32(step)).astype(np.int64)]
    if len(stamps) < length:
        return np.empty((0, length), np.int64)
    return np.lib.stride_tricks.sliding_window_view(stamps, length)[::length]


def test_windows_are_those_of_the_arrays_restated():
    rates = (NTSC, FILM, 15.0, 5.0, 29.97, 30.0, 25.0, 12.5, 14.985, 59.94, 7.31)
    cases = itertools.product(
        rates, (5.0, 12.0), (1, 7, 50), (0, 1, 6, 59, 60, 61, 299, 300, 2000)
    )
    for rate, fps, length, frames in cases:
        expected = _restated(frames, rate, fps, length)
        found = _windows(frames, rate, fps, length)
        np.testing.assert_array_equal(found, expected, f"{rate} {fps} {length}")


def test_indices_are_of_single_precision():
    # A3's clip of 25 frames a second: 60 x 25 / 12 is 125, and there just below.
    (window,) = _windows(250, 25.0, 12.0, 120)
    assert window[59:62].tolist() == [122, 124, 127]
