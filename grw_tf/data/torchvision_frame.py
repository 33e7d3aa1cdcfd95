"""Frames as torchvision's `Resize` and `CenterCrop` of float tensors make them.

The published evaluation of the GRW models divides by 255 and then resizes, so nothing
is rounded to levels, by the antialiased bilinear filter that is torchvision's default
(0.17 and later) and Pillow's.
"""

import functools

import numpy as np
from scipy import sparse

from grw_tf.data.clips import resize_side


def resize_and_crop(frame: np.ndarray, size: int) -> np.ndarray:
    """Resizes a frame to a square, whatever its aspect, and crops the centre.

    The square is that of `grw_tf.data.clips.prepare_frame`, which is faster and rounds.

    Args:
        frame: uint8 [height, width, 3].
        size: Height and width of the result in pixels.

    Returns:
        float32 [size, size, 3] in 0..1.
    """
    height, width, channels = frame.shape
    pixels = frame.astype(np.float32) / 255
    pixels = _weights(height, size) @ pixels.reshape(height, width * channels)
    pixels = pixels.reshape(size, width, channels).swapaxes(0, 1)
    pixels = _weights(width, size) @ pixels.reshape(width, size * channels)
    return pixels.reshape(size, size, channels).swapaxes(0, 1)


@functools.lru_cache(maxsize=64)
def _weights(length: int, size: int) -> sparse.csr_array:
    """Returns the share of each pixel of a line in each that is left of it.

    Args:
        length: Pixels of the line, resized to `resize_side(size)` of them.
        size: How many in the middle of those are kept.

    Returns:
        float32 [size, length], sparse.
    """
    side = resize_side(size)
    scale = length / side
    # A triangle as wide as a pixel of the result, or of the line if that is wider.
    support = max(scale, 1.0)
    first = round((side - size) / 2)
    centres = (first + np.arange(size) + 0.5) * scale
    distances = np.abs(np.arange(length) + 0.5 - centres[:, None])
    weights = np.maximum(0.0, 1.0 - distances / support)
    weights /= weights.sum(axis=1, keepdims=True)
    return sparse.csr_array(weights.astype(np.float32))
