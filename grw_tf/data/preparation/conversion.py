"""Converts one video to a record, in a worker process."""

import dataclasses
from pathlib import Path

from grw_tf.common.replacing import replacing
from grw_tf.data.listing.video_list import Video
from grw_tf.data.preparation.config import PreparationConfig
from grw_tf.data.preparation.jpeg_clips import JpegClip, read_jpegs
from grw_tf.data.records.sequence_examples import sequence_example, write_record
from grw_tf.data.videos.faults import fault_of


@dataclasses.dataclass(frozen=True)
class Conversion:
    """A video, its classes and position in the data set, and its record's folder."""

    video: Video
    label_indices: tuple[int, ...]
    position: int
    folder: Path
    config: PreparationConfig

    def __str__(self):
        return self.video.name


def convert(conversion: Conversion) -> int | str:
    """Writes the record of a video, completely or not at all.

    Returns:
        The number of frames, or the reason why the video cannot be used.

    Raises:
        OSError: If the record cannot be written.
    """
    video, config = conversion.video, conversion.config
    clip = read_clip(video, config)
    if isinstance(clip, str):
        return clip
    frames = len(clip.frames)
    example = sequence_example(
        clip, conversion.label_indices, video.labels, config.fps, video.name
    )
    record = record_path(conversion.folder, conversion.position, frames)
    with replacing(record) as path:
        write_record(path, example)
    return frames


def read_clip(video: Video, config: PreparationConfig) -> JpegClip | str:
    """Returns the frames of a video, or the reason why it cannot be used."""
    try:
        if not video.path.stat().st_size:
            raise ValueError("The file is empty.")
        clip = read_jpegs(
            video.path,
            config.fps,
            config.short_side,
            config.jpeg_quality,
            video.start,
            video.end,
        )
    except Exception as error:
        return fault_of(video.path, error)
    frames = len(clip.frames)
    if frames < config.min_frames:
        return f"has {frames} frames at {config.fps:g} a second: too short."
    return clip


def record_path(folder: Path, position: int, frames: int) -> Path:
    """Returns the path of a record. Its name records the position and frame count."""
    return folder / f"{position}_{frames}.tfrecord"


def converted(folder: Path) -> dict[int, int]:
    """Returns the frame counts of the records in a folder, by position."""
    names = (path.stem.split("_") for path in folder.glob("*.tfrecord"))
    return {int(position): int(frames) for position, frames in names}
