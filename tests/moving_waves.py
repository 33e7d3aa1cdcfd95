"""Smooth pictures that move, for streams of small models."""

import numpy as np


def moving_waves(seed: int, frames: int, size: int = 32) -> np.ndarray:
    """Returns uint8 [frames, size, size, 3]: new waves at every 20th frame."""
    rng = np.random.default_rng(seed)
    video = []
    for index in range(frames):
        if index % 20 == 0:
            waves = rng.uniform(-0.4, 0.4, (3, 3))
        rows, columns = np.indices((size, size))
        phases = [a * rows + b * columns + c * index for a, b, c in waves]
        video.append(127.5 + 127.5 * np.sin(np.stack(phases, -1)))
    return np.stack(video).astype(np.uint8)
