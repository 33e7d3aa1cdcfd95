"""Prepares frames for a model with NumPy alone."""

import functools

import numpy as np

from grw_tf.frames.geometry import FrameGeometry, by_area

# Output rows, or columns, computed by one matrix product.
_BLOCK = 8
# Most multiplications in a product. For larger ones, NumPy's BLAS starts threads, which
# are a hundred times slower on a busy machine.
_MOST_WORK = 200_000


class FramePreparation:
    """Resizes frames by a geometry and crops the middle.

    Like `opencv_preparation.prepare_frame`, it averages the area of each pixel if
    neither side grows, and interpolates linearly otherwise. No value differs from
    OpenCV's by more than 1 of 255.

    Args:
        geometry: Frame geometry of the model.
    """

    def __init__(self, geometry: FrameGeometry):
        self.size = geometry.size
        # All frames of a camera have one size, so the weights are computed once.
        self._products = functools.lru_cache(maxsize=4)(
            lambda height, width: _products(height, width, geometry)
        )

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        """Returns a frame, uint8 [height, width, 3], as uint8 [size, size, 3]."""
        height, width = frame.shape[:2]
        rows, columns = self._products(height, width)
        # Columns outside the crop are not computed.
        first, last = columns[0][0].start, columns[-1][0].stop
        part = frame.reshape(height, width * 3)[:, first:last]
        narrow = np.empty((self.size, last - first), np.float32)
        for source, target, weights in rows:
            for piece in _pieces(last - first, weights.size):
                pixels = part[source, piece].astype(np.float32)
                np.matmul(weights, pixels, out=narrow[target, piece])
        square = np.empty((self.size, self.size * 3), np.float32)
        for source, target, weights in columns:
            pixels = narrow[:, source.start - first : source.stop - first]
            for piece in _pieces(self.size, weights.size):
                np.matmul(pixels[piece], weights, out=square[piece, target])
        # Means of bytes stay within 0..255 except for rounding.
        square = np.rint(square, out=square).clip(0, 255, out=square)
        return square.astype(np.uint8).reshape(self.size, self.size, 3)


def _products(height, width, geometry):
    """Returns the matrix products for the rows and for the columns.

    Each is (slice of the source, slice of the result, weights). For columns, the slices
    include the three channels of each, and the weights multiply from the right.
    """
    shape = geometry.resized(height, width)
    find = _area_weights if by_area(height, width, *shape) else _linear_weights
    down, across = (
        find(length, resized, geometry.start(resized) + np.arange(geometry.size))
        for length, resized in zip((height, width), shape, strict=True)
    )
    rows = _blocks(down)
    columns = [
        (
            slice(3 * source.start, 3 * source.stop),
            slice(3 * target.start, 3 * target.stop),
            np.kron(weights.T, np.eye(3, dtype=np.float32)),
        )
        for source, target, weights in _blocks(across)
    ]
    return rows, columns


def _blocks(weights):
    """Splits a band matrix into dense blocks of a few rows."""
    blocks = []
    for start in range(0, len(weights), _BLOCK):
        block = weights[start : start + _BLOCK]
        (used,) = block.any(axis=0).nonzero()
        source = slice(int(used[0]), int(used[-1]) + 1)
        target = slice(start, start + len(block))
        blocks.append((source, target, np.ascontiguousarray(block[:, source])))
    return blocks


def _pieces(length, work):
    """Splits a length into pieces of limited work, given the work of each unit."""
    step = max(1, _MOST_WORK // work)
    return [slice(start, start + step) for start in range(0, length, step)]


def _area_weights(length, resized, kept):
    """Returns the share [kept, length] of each pixel in each kept one."""
    first, last = (length * (kept + end)[:, None] / resized for end in (0, 1))
    pixels = np.arange(length)
    overlap = np.minimum(last, pixels + 1) - np.maximum(first, pixels)
    return (overlap.clip(0) * resized / length).astype(np.float32)


def _linear_weights(length, resized, kept):
    """Returns the weights [kept, length] of linear interpolation."""
    centers = ((kept + 0.5) * length / resized - 0.5).clip(0, length - 1)
    distance = np.abs(centers[:, None] - np.arange(length))
    return (1 - distance).clip(0).astype(np.float32)
