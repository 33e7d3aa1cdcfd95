"""Draws videos for the benchmarks of decoding and input."""

import cv2
import numpy as np


def draw_video(
    length: int, height: int, width: int, rng: np.random.Generator
) -> np.ndarray:
    """Returns a video of a camera that moves over a textured picture.

    Its frames take about as many bytes as a camera's. Frames of plain colors would be
    decoded too fast.

    Args:
        length: Frames.
        height: Pixels.
        width: Pixels.
        rng: Draws the picture.

    Returns:
        uint8 [length, height, width, 3].
    """
    shape = np.array((height, width)) + length
    picture = np.zeros((*shape, 3), np.float32)
    for cell in (4, 16, 64):
        coarse = rng.normal(size=(*(shape // cell + 2), 3)).astype(np.float32)
        whole = cv2.resize(coarse, shape[::-1].tolist(), interpolation=cv2.INTER_CUBIC)
        picture += cell**0.25 * whole
    picture = cv2.normalize(picture, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    return np.stack(
        [picture[step : step + height, step : step + width] for step in range(length)]
    )
