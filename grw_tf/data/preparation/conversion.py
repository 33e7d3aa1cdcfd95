"""Converts one video to a record, in a worker process."""

import dataclasses
from pathlib import Path

import av

from grw_tf.common.replacing import replacing
from grw_tf.data.listing.video_list import Video
from grw_tf.data.preparation.jpeg_clips import JpegClip, read_jpegs
from grw_tf.data.records.sequence_examples import sequence_example, write_record


@dataclasses.dataclass(frozen=True)
class FrameSettings:
    """Which frames of a video are kept, and how. See the flags of the same names."""

    fps: float
    short_side: int
    jpeg_quality: int
    min_frames: int


@dataclasses.dataclass(frozen=True)
class Conversion:
    """A video, its class and position in the data set, and the folder of its record."""

    video: Video
    label_index: int
    position: int
    folder: Path
    settings: FrameSettings

    def __str__(self):
        return self.video.name


def convert(conversion: Conversion) -> int | str:
    """Writes the record of a video, completely or not at all.

    Returns:
        The number of frames, or the reason why the video cannot be used.

    Raises:
        OSError: If the record cannot be written.
    """
    video, settings = conversion.video, conversion.settings
    clip = read_clip(video, settings)
    if isinstance(clip, str):
        return clip
    frames = len(clip.frames)
    example = sequence_example(
        clip, conversion.label_index, video.label, settings.fps, video.name
    )
    record = record_path(conversion.folder, conversion.position, frames)
    with replacing(record) as path:
        write_record(path, example)
    return frames


def read_clip(video: Video, settings: FrameSettings) -> JpegClip | str:
    """Returns the frames of a video, or the reason why it cannot be used."""
    try:
        if not video.path.stat().st_size:
            raise ValueError("The file is empty.")
        clip = read_jpegs(
            video.path,
            settings.fps,
            settings.short_side,
            settings.jpeg_quality,
            video.start,
            video.end,
        )
    except (av.FFmpegError, OSError) as error:
        return error.strerror or str(error)
    except Exception as error:
        # Files can be broken in many ways.
        return str(error).removeprefix(f"{video.path} ") or type(error).__name__
    frames = len(clip.frames)
    if frames < settings.min_frames:
        return f"has {frames} frames at {settings.fps:g} a second: too short."
    return clip


def record_path(folder: Path, position: int, frames: int) -> Path:
    """Returns the path of a record. Its name records the position and frame count."""
    return folder / f"{position}_{frames}.tfrecord"


def converted(folder: Path) -> dict[int, int]:
    """Returns the frame counts of the records in a folder, by position."""
    return dict(map(int, path.stem.split("_")) for path in folder.glob("*.tfrecord"))
