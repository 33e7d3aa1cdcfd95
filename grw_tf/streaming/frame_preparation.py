"""Resizing and cropping frames as in training, with numpy alone."""

import functools

import numpy as np

# Output rows, or columns, computed by one matrix product.
_BLOCK = 8
# Multiplications in a product. More, and NumPy's BLAS starts threads, which cost a
# hundredfold on a busy machine.
_MOST_WORK = 200_000


class FramePreparation:
    """Resizes frames to a square, whatever their aspect, and crops the centre.

    As `grw_tf.data.clips.prepare_frame`, which does it with OpenCV: by the mean over
    each pixel's area where both sides shrink, else by linear interpolation. No value
    differs by more than 1 of 255.

    Args:
      side: of the square, in pixels.
      size: height and width of the crop.
    """

    def __init__(self, side, size):
        self.size = size
        # A camera's frames are all of one size, so the weights are found once.
        self._products = functools.lru_cache(maxsize=4)(
            lambda height, width: _products(height, width, side, size)
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


def _products(height, width, side, size):
    """Returns the matrix products that make the rows, and then the columns.

    Each is (slice of the source, slice of the result, weights); of columns, the slices
    run over the three channels of each, and the weights are to multiply from the right.
    """
    find = _area_weights if min(height, width) >= side else _linear_weights
    start = (side - size) // 2
    rows = _blocks(find(height, side)[start : start + size])
    columns = [
        (
            slice(3 * source.start, 3 * source.stop),
            slice(3 * target.start, 3 * target.stop),
            np.kron(weights.T, np.eye(3, dtype=np.float32)),
        )
        for source, target, weights in _blocks(find(width, side)[start : start + size])
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


def _area_weights(length, side):
    """Returns the share [side, length] of each pixel in each of the longer ones."""
    edges = np.linspace(0, length, side + 1)[:, None]
    pixels = np.arange(length)
    overlap = np.minimum(edges[1:], pixels + 1) - np.maximum(edges[:-1], pixels)
    return (overlap.clip(0) * side / length).astype(np.float32)


def _linear_weights(length, side):
    """Returns the weights [side, length] of linear interpolation."""
    centres = ((np.arange(side) + 0.5) * length / side - 0.5).clip(0, length - 1)
    distance = np.abs(centres[:, None] - np.arange(length))
    return (1 - distance).clip(0).astype(np.float32)
