"""Prepares frames like torchvision's `Resize` and `CenterCrop` of float tensors.

The published evaluation of the GRW models divides by 255 before it resizes, so pixels
are not rounded. The filter is the antialiased bilinear one of Pillow, the default of
torchvision since 0.17.
"""

import functools

import numpy as np
from scipy import sparse

from grw_tf.frames.geometry import FrameGeometry


def resize_and_crop(frame: np.ndarray, geometry: FrameGeometry) -> np.ndarray:
    """Resizes a frame by a geometry and crops the middle.

    The crop is the one of `opencv_preparation.prepare_frame`, which is faster but
    rounds.

    Args:
        frame: uint8 [height, width, 3].
        geometry: Frame geometry of the model.

    Returns:
        float32 [size, size, 3] in 0..1.
    """
    height, width, channels = frame.shape
    rows, columns = geometry.resized(height, width)
    size = geometry.size
    pixels = frame.astype(np.float32) / 255
    down = _weights(height, rows, geometry.start(rows), size)
    pixels = down @ pixels.reshape(height, width * channels)
    pixels = pixels.reshape(size, width, channels).swapaxes(0, 1)
    across = _weights(width, columns, geometry.start(columns), size)
    pixels = across @ pixels.reshape(width, size * channels)
    return pixels.reshape(size, size, channels).swapaxes(0, 1)


@functools.lru_cache(maxsize=64)
def _weights(length: int, resized: int, first: int, size: int) -> sparse.csr_array:
    """Returns the weights [size, length] of resizing a line of `length` pixels.

    Of the `resized` pixels, `size` are kept, beginning with the `first`.
    """
    scale = length / resized
    # The triangle filter spans a pixel of the result or of the line, the wider of both.
    support = max(scale, 1.0)
    centers = (first + np.arange(size) + 0.5) * scale
    distances = np.abs(np.arange(length) + 0.5 - centers[:, None])
    weights = np.maximum(0.0, 1.0 - distances / support)
    weights /= weights.sum(axis=1, keepdims=True)
    return sparse.csr_array(weights.astype(np.float32))
