"""The configuration of a set of airplane videos: sizes, speeds, counts, seed."""

import dataclasses

import tensorflow_datasets as tfds

from grw_tf.common.suggestions import suggest
from grw_tf.data.airplanes.shapes import HELD_OUT, SHAPES


@dataclasses.dataclass(kw_only=True)
class AirplanesConfig(tfds.core.BuilderConfig):
    """One variant of the airplane data set.

    Attributes:
        size: Height and width of a frame in pixels, at least 16.
        frames: Frames in a video, at least 3.
        min_speed: Slowest turn in degrees per frame, above 0. The direction is random,
            so the signed speed of a video may be negative.
        max_speed: Fastest turn in degrees per frame, below 180.
        train_videos: Videos in the train split.
        test_videos: Videos in the test split.
        shapes: The shapes of the airplanes, keys of `shapes.SHAPES`; empty for all.
        unseen_test_shapes: If true, the test split holds only the shapes of
            `shapes.HELD_OUT`, and the train split only the others.
        fixed_airplane: If true, all videos of both splits show one airplane: one mesh
            with one paint, drawn from the seed. It needs a single shape.
        seed: Seed of the data set, 0 or more.

    Raises:
        ValueError: If a field is out of its range.
    """

    size: int = 48
    frames: int = 12
    min_speed: float = 8.0
    max_speed: float = 16.0
    train_videos: int = 1000
    test_videos: int = 100
    shapes: tuple[str, ...] = ()
    unseen_test_shapes: bool = False
    fixed_airplane: bool = False
    seed: int = 0

    def __post_init__(self):
        if self.size < 16:
            raise ValueError(f"size is {self.size} px: use at least 16.")
        if self.frames < 3:
            raise ValueError(f"frames is {self.frames}: use at least 3.")
        if not 0 < self.min_speed <= self.max_speed < 180:
            raise ValueError(
                f"Speeds are {self.min_speed} to {self.max_speed} degrees per frame:"
                " use 0 < min_speed <= max_speed < 180."
            )
        if self.train_videos < 1 or self.test_videos < 1:
            raise ValueError(
                f"train_videos is {self.train_videos} and test_videos is"
                f" {self.test_videos}: use at least 1 of each."
            )
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}: use 0 or more.")
        self._check_shapes()

    def _check_shapes(self):
        if isinstance(self.shapes, str):
            raise ValueError(f"shapes is {self.shapes!r:.80}: give a list of names.")
        self.shapes = tuple(self.shapes)
        given = f"shapes is {list(self.shapes)}"
        for name in self.shapes:
            if name not in SHAPES:
                raise ValueError(
                    f"{given}: {name!r} is no shape; {suggest(name, SHAPES)}"
                )
        if len(set(self.shapes)) < len(self.shapes):
            raise ValueError(f"{given}: give each shape once.")
        held_out = len(set(self.shapes) & set(HELD_OUT))
        if (
            self.unseen_test_shapes
            and self.shapes
            and held_out in (0, len(self.shapes))
        ):
            raise ValueError(
                f"unseen_test_shapes is True and {given}: give some of the held-out"
                f" {', '.join(HELD_OUT)} and some others."
            )
        if self.fixed_airplane and len(self.shapes) != 1:
            raise ValueError(
                f"fixed_airplane is True and {given}: one airplane has one shape, give"
                " a single one."
            )
