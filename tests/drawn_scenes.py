"""Scenes of still discs among which one square moves, so that the cause is known."""

import dataclasses

import numpy as np

MOTIONS = {"bounce": (0.0, 1.0), "swing": (1.0, 0.0)}
"""Right and down of the motion of each class."""


@dataclasses.dataclass
class Scene:
    """A still picture and a square on it.

    Attributes:
        frames: uint8 [time, size, size, 3], RGB.
        centers: float [time, 2], right and down, of the square in pixels.
        half: Half the side of the square in pixels.
    """

    frames: np.ndarray
    centers: np.ndarray
    half: int


def draw_scene(rng, time, size, segments=(), amplitude=0.16):
    """Draws a scene in which the square moves in some frames, and is else still.

    `segments` are (first frame, last frame + 1, class of `MOTIONS`).
    """
    y, x = np.mgrid[:size, :size]
    half = round(size * 0.09)
    ground = np.empty((size, size, 3))
    ground[:] = rng.uniform(40, 110, 3)
    ground += rng.normal(0, 6, (size, size, 1))
    for _ in range(3):
        right, down = rng.uniform(0.1, 0.9, 2) * size
        disc = (x - right) ** 2 + (y - down) ** 2 < (
            rng.uniform(0.08, 0.14) * size
        ) ** 2
        ground[disc] = rng.uniform(60, 255, 3)
    color = rng.uniform(120, 255, 3)
    margin = half + amplitude * size + 1
    centers = np.tile(rng.uniform(margin, size - margin, 2), (time, 1))
    for first, last, kind in segments:
        wave = np.sin(np.arange(last - first) * rng.uniform(0.7, 1.1))
        centers[first:last] += amplitude * size * wave[:, None] * MOTIONS[kind]
    frames = np.empty((time, size, size, 3), np.uint8)
    for frame, (right, down) in zip(frames, centers, strict=True):
        square = (np.abs(x - right) <= half) & (np.abs(y - down) <= half)
        picture = np.where(square[..., None], color, ground)
        frame[:] = np.clip(picture + rng.normal(0, 3, ground.shape), 0, 255)
    return Scene(frames, centers, half)
