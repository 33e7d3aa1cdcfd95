"""Reads the clips that the published evaluation cuts from a video.

`grw_tf.data.videos.clips.read_clip` takes the middle of a video by time, turns frames
upright and rounds pixels. This module takes all windows of `torchvision_windows` from
the first frame on, leaves frames as they are stored, and prepares them as
`torchvision_frame` does.
"""

import dataclasses

import numpy as np

from grw_tf.data.listing.video_list import Video
from grw_tf.data.videos.faults import fault_of
from grw_tf.data.videos.orientation import FirstSize
from grw_tf.data.videos.stream_choice import open_video
from grw_tf.frames import choice
from grw_tf.frames.geometry import FrameGeometry
from grw_tf.kinetics600.torchvision_frame import resize_and_crop
from grw_tf.kinetics600.torchvision_windows import sample_count, sampled_frames


@dataclasses.dataclass(frozen=True)
class ClipRule:
    """How videos are cut into clips.

    Attributes:
        frames: Frames of a clip.
        fps: Frames per second.
        geometry: Frame geometry of the model.
        repeat_last: Whether to repeat the last frame of a video that is too short for a
            clip, instead of dropping the video.
    """

    frames: int
    fps: float
    geometry: FrameGeometry
    repeat_last: bool = False


@dataclasses.dataclass(frozen=True)
class ClipTask:
    """A video to read, and how to cut it."""

    video: Video
    rule: ClipRule

    def __str__(self):
        return self.video.name


@dataclasses.dataclass(frozen=True, eq=False)
class PublishedClips:
    """The clips of a video.

    Attributes:
        clips: float32 [clips, frames, size, size, 3] in 0..1, RGB.
        too_short: Whether the video is too short for a clip. There is then no clip, or
            one whose last frame is repeated.
    """

    clips: np.ndarray
    too_short: bool


def read_published_clips(task: ClipTask) -> PublishedClips | str:
    """Returns the clips of a video, or the reason why it cannot be read.

    Raises:
        ChildProcessError: If memory ran out, which is not a fault of the video.
    """
    video = task.video
    try:
        if not video.path.stat().st_size:
            raise ValueError("is empty.")
        return _read(video.path, task.rule)
    except MemoryError:
        raise ChildProcessError(
            f"Memory ran out at {video.name}: run the same command again, with fewer"
            " --workers, to continue from here."
        ) from None
    except Exception as error:
        return fault_of(video.path, error)


def _read(path, rule):
    # Videos are read side by side, each in one thread.
    with open_video(path, threads=1) as (container, stream):
        if not stream.average_rate:
            raise ValueError(f"{path} does not state its frame rate.")
        rate = float(stream.average_rate)
        first_size = FirstSize(path)
        pictures, wanted = [], sampled_frames(rate, rule.fps)
        index, count = next(wanted), 0
        for frame in container.decode(stream):
            first_size(frame.width, frame.height)
            if index == count:
                picture = resize_and_crop(
                    frame.to_ndarray(format="rgb24"), rule.geometry
                )
                # A video with a lower frame rate repeats frames.
                while index == count:
                    pictures.append(picture)
                    index = next(wanted)
            count += 1
    if not count:
        raise ValueError(f"{path} has no frames.")
    clips = sample_count(count, rate, rule.fps) // rule.frames
    too_short = not clips
    if too_short and rule.repeat_last:
        kept = pictures[: max(1, sample_count(count, rate, rule.fps))]
        pictures = choice.repeat_last(kept, rule.frames)
        clips = 1
    size = rule.geometry.size
    shape = (clips, rule.frames, size, size, 3)
    kept = pictures[: clips * rule.frames]
    stacked = np.stack(kept) if kept else np.empty(0, np.float32)
    return PublishedClips(stacked.reshape(shape), too_short)
