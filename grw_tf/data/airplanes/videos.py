"""Draws videos of airplanes that turn about one of their own axes.

It needs only NumPy and OpenCV, so worker processes start without TensorFlow.
"""

import dataclasses
import functools
import os
from collections.abc import Iterator

import cv2
import numpy as np

from grw_tf.common.process_pool import run_parallel
from grw_tf.data.airplanes import shapes
from grw_tf.data.airplanes.config import AirplanesConfig
from grw_tf.data.airplanes.render import render

CLASS_NAMES = ("yaw", "pitch", "roll")
# Body axes of the classes: up, left wing, nose.
AXES = np.array([(0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0)])
SPLITS = ("train", "test")


@dataclasses.dataclass(frozen=True)
class AirplaneVideo:
    """One video.

    Attributes:
        frames: uint8 [time, height, width, 3], RGB.
        label: Index into `CLASS_NAMES`.
        shape: A key of `shapes.SHAPES`.
        speed: Degrees per frame about the body axis, signed.
        rotations: float64 [time, 3, 3], from body axes to the camera's.
    """

    frames: np.ndarray
    label: int
    shape: str
    speed: float
    rotations: np.ndarray


def shape_names(config: AirplanesConfig, split: str) -> list[str]:
    """Returns the names of the shapes in a split, "train" or "test"."""
    names = list(config.shapes or shapes.SHAPES)
    if not config.unseen_test_shapes:
        return names
    return [name for name in names if (name in shapes.HELD_OUT) == (split == "test")]


def draw(
    config: AirplanesConfig, names: list[str], label: int, rng: np.random.Generator
) -> AirplaneVideo:
    """Draws one video.

    The label decides only the axis of the turn. The first pose is uniformly distributed
    over all rotations, and so is the pose of each frame, whatever the label. No single
    frame therefore shows the label.

    Args:
        config: Frame size, frames, speeds, and whether the airplane is fixed.
        names: Shapes to choose from.
        label: Index into `CLASS_NAMES`.
        rng: Draws everything else.
    """
    name = names[rng.integers(len(names))]
    if config.fixed_airplane:
        mesh = _fixed_mesh(name, config.seed)
    else:
        mesh = shapes.build(name, rng)
    background = rng.uniform(190, 225) + np.array((0, 6, 12)) * rng.uniform(0, 1.5)
    speed = rng.uniform(config.min_speed, config.max_speed) * rng.choice((-1, 1))
    quaternion = rng.normal(size=4)
    length = np.linalg.norm(quaternion[1:])
    first = _rotation(quaternion[1:] / length, 2 * np.arctan2(length, quaternion[0]))
    # Multiplied from the right, a turn is about the body's axes, not the camera's.
    rotations = np.stack(
        [
            first @ _rotation(AXES[label], np.radians(speed * t))
            for t in range(config.frames)
        ]
    )
    frames = [render(mesh, r, config.size, background) for r in rotations]
    return AirplaneVideo(np.stack(frames), label, name, float(speed), rotations)


def video(config: AirplanesConfig, split: str, index: int) -> AirplaneVideo:
    """Draws video `index` of a split. It has its own seed: the bytes never change."""
    seed = np.random.SeedSequence([config.seed, SPLITS.index(split), index])
    label = index % len(CLASS_NAMES)
    rng = np.random.default_rng(seed)
    return draw(config, shape_names(config, split), label, rng)


def videos(
    config: AirplanesConfig, split: str, workers: int | None = None
) -> Iterator[AirplaneVideo]:
    """Draws a split in order. The number of workers does not change any byte.

    Args:
        config: What to draw.
        split: "train" or "test".
        workers: Processes to draw in; 1 draws in this one. By default one per CPU, or
            fewer for a small split.
    """
    count = config.train_videos if split == "train" else config.test_videos
    if workers is None:
        workers = min(os.cpu_count() or 1, 1 + count // 64)
    draw_one = functools.partial(video, config, split)
    if workers == 1:
        yield from map(draw_one, range(count))
    else:
        for _, drawn in run_parallel(draw_one, range(count), workers, in_order=True):
            yield drawn


@functools.cache
def _fixed_mesh(name: str, seed: int) -> shapes.Mesh:
    # Videos have seeds of three numbers.
    return shapes.build(name, np.random.default_rng([seed, len(SPLITS)]))


def _rotation(axis: np.ndarray, radians: float) -> np.ndarray:
    return cv2.Rodrigues(axis * radians)[0]
