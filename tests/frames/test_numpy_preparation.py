"""Tests that numpy alone prepares frames as OpenCV does in training."""

import numpy as np
import pytest
from exported_files import random_frames

from grw_tf.frames.geometry import FRAME_FITS, FrameGeometry
from grw_tf.frames.numpy_preparation import FramePreparation
from grw_tf.frames.opencv_preparation import prepare_frame

# Shrinking, growing, both; by whole factors and not; odd, of one pixel, left as it is.
SHAPES = [
    *((480, 640), (1080, 1920), (37, 53), (1, 1), (2, 1000), (1000, 2), (200, 200)),
    *((200, 640), (199, 641), (201, 200), (400, 400), (600, 801), (721, 333)),
    (150, 3000),
]


def _difference(frame, size, fit):
    geometry = FrameGeometry(size, fit)
    prepared = FramePreparation(geometry)(frame)
    assert prepared.dtype == np.uint8 and prepared.shape == (size, size, 3)
    return np.abs(prepared.astype(int) - prepare_frame(frame, geometry)).max()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("size", [172, 224, 33])
@pytest.mark.parametrize("fit", FRAME_FITS)
def test_no_pixel_differs_by_more_than_one_level(shape, size, fit):
    noise = random_frames(1, *shape)[0]
    assert _difference(noise, size, fit) <= 1
    assert _difference(noise // 128 * 255, size, fit) <= 1


@pytest.mark.parametrize("fit", FRAME_FITS)
def test_random_sizes_differ_by_no_more_than_one_level(fit):
    random = np.random.default_rng(0)
    for _ in range(100):
        height, width = random.integers(1, 300, 2)
        frame = random_frames(1, height, width)[0]
        size = int(random.integers(8, 128))
        assert _difference(frame, size, fit) <= 1, (height, width)


def test_frames_may_be_views():
    frame = random_frames(1, 300, 400)[0]
    prepare = FramePreparation(FrameGeometry(172, "square"))
    for view in (frame[::-1], frame[:, ::2], frame[..., ::-1], frame[10:-10, 5:-5]):
        np.testing.assert_array_equal(prepare(view), prepare(view.copy()))
