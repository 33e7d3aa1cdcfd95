"""Prepares frames for a model with NumPy alone."""

import functools

import numpy as np

from grw_tf.frames.geometry import FrameGeometry, by_area

# Output rows, or columns, computed by one matrix product.
_BLOCK = 8
# Multiplications in a product. More, and NumPy's BLAS starts threads, which cost a
# hundredfold on a busy machine.
_MOST_WORK = 200_000


class FramePreparation:
    """Resizes frames as a geometry says, and crops the middle.

    As `opencv_preparation.prepare_frame`: by the mean over each pixel's area
    where neither side grows, else by linear interpolation. No value differs from
    OpenCV's by more than 1 of 255.

    Args:
        geometry: Of the model.
    """

    def __init__(self, geometry: FrameGeometry):
        self.size = geometry.size
        # A camera's frames are all of one size, so the weights are found once.
        self._products = functools.lru_cache(maxsize=4)(
            lambda height, width: _products(height, width, geometry)
        )

    def __call__(self, frame):
        """Returns a frame uint8 [height, width, 3] as uint8 [size, size, 3]."""
        height, width = frame.shape[:2]
        rows, columns = self._products(height, width)
        # Columns that the crop leaves out are never touched.
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
        # Means of bytes stay within 0..255 but for roundings.
        square = np.rint(square, out=square).clip(0, 255, out=square)
        return square.astype(np.uint8).reshape(self.size, self.size, 3)


def _products(height, width, geometry):
    """Returns the matrix products that make the rows, and then the columns.

    Each is (slice of the source, slice of the result, weights); of columns, the slices
    run over the three channels of each, and the weights are to multiply from the right.
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
    """Splits a length, each unit of which is so much work."""
    step = max(1, _MOST_WORK // work)
    return [slice(start, start + step) for start in range(0, length, step)]


def _area_weights(length, resized, kept):
    """Returns the share [kept, length] of each pixel in each that is kept."""
    first, last = (length * (kept + end)[:, None] / resized for end in (0, 1))
    pixels = np.arange(length)
    overlap = np.minimum(last, pixels + 1) - np.maximum(first, pixels)
    return (overlap.clip(0) * resized / length).astype(np.float32)


def _linear_weights(length, resized, kept):
    """Returns the weights [kept, length] of linear interpolation."""
    centers = ((kept + 0.5) * length / resized - 0.5).clip(0, length - 1)
    distance = np.abs(centers[:, None] - np.arange(length))
    return (1 - distance).clip(0).astype(np.float32)
