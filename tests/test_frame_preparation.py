"""Tests that numpy alone prepares frames as OpenCV does in training."""

import numpy as np
import pytest
from exported_streams import random_frames

from grw_tf.data.clips import prepare_frame, resize_side
from grw_tf.streaming.frame_preparation import FramePreparation

# Shrinking, growing, both; by whole factors and not; odd, of one pixel, left as it is.
SHAPES = [
    (480, 640),
    (1080, 1920),
    (37, 53),
    (1, 1),
    (2, 1000),
    (1000, 2),
    (200, 200),
    (200, 640),
    (199, 641),
    (201, 200),
    (400, 400),
    (600, 801),
    (721, 333),
    (150, 3000),
]


def _difference(frame, size):
    prepared = FramePreparation(resize_side(size), size)(frame)
    assert prepared.dtype == np.uint8 and prepared.shape == (size, size, 3)
    return np.abs(prepared.astype(int) - prepare_frame(frame, size)).max()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("size", [172, 224, 33])
def test_no_pixel_differs_by_more_than_one_level(shape, size):
    noise = random_frames(1, *shape)[0]
    assert _difference(noise, size) <= 1
    assert _difference(noise // 128 * 255, size) <= 1


def test_random_sizes_differ_by_no_more_than_one_level():
    random = np.random.default_rng(0)
    for _ in range(100):
        height, width = random.integers(1, 300, 2)
        frame = random_frames(1, height, width)[0]
        assert _difference(frame, int(random.integers(8, 128))) <= 1, (height, width)


def test_frames_may_be_views():
    frame = random_frames(1, 300, 400)[0]
    prepare = FramePreparation(200, 172)
    for view in (frame[::-1], frame[:, ::2], frame[..., ::-1], frame[10:-10, 5:-5]):
        np.testing.assert_array_equal(prepare(view), prepare(view.copy()))
