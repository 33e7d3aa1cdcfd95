"""The configuration of a set of airplane videos: sizes, speeds, counts, seed."""

import dataclasses

import tensorflow_datasets as tfds


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
        unseen_test_shapes: If true, the test split holds only the shapes of
            `shapes.HELD_OUT`, and the train split only the others.
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
    unseen_test_shapes: bool = False
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
