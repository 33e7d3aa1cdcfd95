"""Draws heat onto frames."""

import matplotlib
import numpy as np

_COLORS = "inferno"
# Weight of the color where the heat is 1.
_STRENGTH = 0.7


def overlay(frames: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Returns frames with heat drawn on them, gray where it is 0.

    Args:
        frames: Float [time, height, width, 3] in 0..1, RGB.
        heat: Float [time, height, width] in 0..1.

    Returns:
        float32 [time, height, width, 3] in 0..1.
    """
    gray = np.repeat(frames.mean(axis=-1, keepdims=True), 3, axis=-1)
    colors = matplotlib.colormaps[_COLORS](heat)[..., :3]
    weight = _STRENGTH * heat[..., None]
    return ((1 - weight) * gray + weight * colors).astype(np.float32)
