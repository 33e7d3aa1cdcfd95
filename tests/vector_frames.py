"""The frames of `tests/vectors`, which every language can make."""

import numpy as np


def frame_of(index, height, width):
    """Returns frame `index`, uint8 [height, width, 3]."""
    row, column, channel = np.ogrid[:height, :width, :3]
    values = 31 * index + 7 * row * row + 5 * column + 3 * row * column + 89 * channel
    return (values % 256).astype(np.uint8)


def frames_of(count, height, width):
    """Returns frames 0 to `count` - 1."""
    return [frame_of(index, height, width) for index in range(count)]
