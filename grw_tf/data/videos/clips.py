"""Reads videos as square frames for a model.

TensorFlow is not imported here, so a runtime without it reads the same frames.
"""

import collections
import os
from collections.abc import Iterator

import numpy as np

from grw_tf.common.checks import check_positive
from grw_tf.data.videos.sampling import sample_pictures
from grw_tf.frames.choice import middle_start, repeat_last
from grw_tf.frames.geometry import FrameGeometry
from grw_tf.frames.opencv_preparation import prepare_frame


def stream_frames(
    path: str | os.PathLike, fps: float, geometry: FrameGeometry
) -> Iterator[tuple[float, np.ndarray]]:
    """Yields the prepared frames of a video at a steady rate, as `sample_frames` does.

    Args:
        path: A video or an animated GIF.
        fps: Frames per second to yield.
        geometry: `config.frame_geometry` of the model.

    Yields:
        Seconds since the first frame, and uint8 [size, size, 3], RGB, upright.

    Raises:
        ValueError: If `fps` is not positive or the file holds no video.
        av.FFmpegError: If the file cannot be decoded.
    """
    shown = prepared = np.empty(0)
    for seconds, picture in sample_pictures(path, fps):
        if picture is not shown:
            shown, prepared = picture, prepare_frame(picture, geometry)
        yield seconds, prepared


def read_clip(
    path: str | os.PathLike, frames: int, fps: float, geometry: FrameGeometry
) -> np.ndarray:
    """Reads `frames` / `fps` seconds from the middle of a video.

    If the video is shorter, its last frame is repeated. At most about half of a longer
    video is held in memory.

    Arguments and errors are those of `stream_frames`.

    Returns:
        uint8 [frames, size, size, 3], RGB, upright.
    """
    check_positive(frames=frames)
    window: collections.deque[np.ndarray] = collections.deque()
    for count, (_, picture) in enumerate(stream_frames(path, fps, geometry), start=1):
        window.append(picture)
        # The middle only moves forward, so frames before it can be dropped.
        if count - len(window) < middle_start(count, frames):
            window.popleft()
    return np.stack(repeat_last(list(window), frames))
