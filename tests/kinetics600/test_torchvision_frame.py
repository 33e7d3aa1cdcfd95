"""Behavior of preparing frames as torchvision does."""

import numpy as np
import pytest
from PIL import Image

from grw_tf.frames.geometry import FrameGeometry, resize_side
from grw_tf.frames.opencv_preparation import prepare_frame
from grw_tf.kinetics600.torchvision_frame import resize_and_crop


def test_pixels_are_weighed_by_hand():
    # 74 pixels to 37, of which the middle 32 are kept, from the third (2.5 is 2).
    levels = np.random.default_rng(0).integers(0, 256, 74)
    frame = np.repeat(levels.astype(np.uint8)[None, :, None], 37, axis=0)
    prepared = resize_and_crop(np.repeat(frame, 3, axis=2), FrameGeometry(32, "square"))
    assert prepared.shape == (32, 32, 3) and prepared.dtype == np.float32
    for column in (0, 17, 31):
        start = 2 * (column + 2) - 1
        expected = levels[start : start + 4] @ [0.125, 0.375, 0.375, 0.125] / 255
        np.testing.assert_allclose(prepared[:, column], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("height", "width", "size"),
    [
        *((240, 426, 172), (426, 240, 172), (256, 340, 224)),
        *((120, 90, 172), (300, 300, 256)),
    ],
)
def test_it_is_the_filter_of_pillow(height, width, size):
    frame = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    side = resize_side(size)
    start = round((side - size) / 2)
    for channel in range(3):
        image = Image.fromarray(frame[..., channel].astype(np.float32) / 255)
        square = image.resize((side, side), Image.Resampling.BILINEAR)
        expected = np.asarray(square)[start : start + size, start : start + size]
        found = resize_and_crop(frame, FrameGeometry(size, "square"))[..., channel]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_plain_colors_stay():
    frame = np.full((50, 70, 3), (0, 128, 255), np.uint8)
    expected = np.full((32, 32, 3), np.float32([0, 128 / 255, 1]))
    np.testing.assert_allclose(
        resize_and_crop(frame, FrameGeometry(32, "square")), expected, atol=1e-6
    )


def test_training_frames_are_near_and_rounded():
    frame = np.random.default_rng(2).integers(0, 256, (240, 426, 3), np.uint8)
    geometry = FrameGeometry(172, "square")
    exact = resize_and_crop(frame, geometry)
    rounded = prepare_frame(frame, geometry) / 255
    assert 1 / 255 < np.abs(exact - rounded).max() < 0.5
    assert not np.allclose(exact * 255, np.round(exact * 255), atol=0.01)
