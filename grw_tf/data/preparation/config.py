"""The settings of a conversion of videos to records."""

import dataclasses
import math

from grw_tf.common.checks import check_positive
from grw_tf.common.flags import option


@dataclasses.dataclass(frozen=True)
class PreparationConfig:
    """What to convert, and how. Each field is a flag.

    Raises:
        ValueError: If a value is out of its range.
    """

    input: str = option(
        "", "Folder of class folders of videos, with or without split folders."
    )
    csv: str = option(
        "",
        "Table of videos to use instead. Columns: path (relative to --input, or else"
        " to the table), label, and optionally split, start, end (seconds) and group;"
        " or the annotations of Kinetics, whose clips are in --input.",
    )
    annotations: str = option(
        "",
        "Folder of the json files of Something-Something-v2 (labels, train and"
        " validation), whose videos <id>.webm are in --input.",
    )
    output_dir: str = option("", "Folder for the records.")
    labels: str = option(
        "",
        "File with the classes in order, one per line. Empty: the classes found,"
        " sorted (numbers by value).",
    )
    label_separator: str = option(
        "",
        "Text between labels, as | in smile|walk, for videos with any number of them: a"
        " cell, or a folder's name, then lists labels, and an empty cell means none."
        " Empty: each video has one label.",
    )
    negative_label: str = option(
        "",
        "Label of videos that belong to no class, which is then no class itself: of"
        " fall and no_fall, --negative_label=no_fall leaves one class for a binary"
        " model.",
    )
    fps: float = option(5.0, "Frames per second to keep.")
    short_side: int = option(
        224, "Pixels to reduce the short side to. It is never enlarged."
    )
    jpeg_quality: int = option(90, "JPEG quality of the frames, 1 to 100.")
    min_frames: int = option(2, "Fewest frames of a clip.")
    validation_fraction: float = option(
        0.1, "Share of each class for validation, if the videos have no splits."
    )
    test_fraction: float = option(
        0.1, "Share of each class for testing, if the videos have no splits."
    )
    background_ratio: float = option(
        0.0,
        "Clips of a class background to add for each labeled clip, sampled from the"
        " parts of the videos outside all segments (start, end) of the table.",
    )
    clips_per_shard: int = option(128, "Most clips in a file.")
    workers: int = option(0, "Videos to read at once. 0: one per core.")
    strict: bool = option(False, "Stop at the first video that cannot be used.")

    def __post_init__(self):
        check_positive(
            fps=self.fps,
            short_side=self.short_side,
            min_frames=self.min_frames,
            clips_per_shard=self.clips_per_shard,
        )
        if self.annotations and (self.csv or self.labels):
            raise ValueError(
                f"annotations is {self.annotations!r:.80}: it names videos and classes,"
                " so leave out csv and labels."
            )
        if self.annotations and not self.input:
            raise ValueError(
                f"annotations is {self.annotations!r:.80}: give the folder of the"
                " videos as input too."
            )
        if not 1 <= self.jpeg_quality <= 100:
            raise ValueError(
                f"jpeg_quality is {self.jpeg_quality}: it must be 1 to 100."
            )
        if not 0 <= self.background_ratio < math.inf:
            raise ValueError(
                f"background_ratio is {self.background_ratio:g}: it must be 0 or more."
            )
        if self.background_ratio and self.lists_labels:
            raise ValueError(
                f"background_ratio is {self.background_ratio:g}, but with lists of"
                " labels a clip of none of the classes has no label: list such clips"
                " with an empty label, and leave background_ratio out."
            )
        if self.label_separator and not self.label_separator.strip(" "):
            raise ValueError(
                "label_separator is a space, which names of classes may have: separate"
                " labels by another text, such as |."
            )
        if self.workers < 0:
            raise ValueError(f"workers is {self.workers}: it must be 0 or more.")

    @property
    def lists_labels(self) -> bool:
        """Whether videos have any number of labels, rather than one."""
        return bool(self.label_separator or self.negative_label)
