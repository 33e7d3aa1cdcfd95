"""Chooses the frames of a clip from a video.

Training, evaluation and export share one rule: a clip takes every `stride`-th frame
from its first on. If the video ends too soon, the last taken frame is repeated.
"""

from collections.abc import Callable
from typing import Any

import numpy as np


def middle_start(
    length: Any, count: int, stride: int = 1, maximum: Callable = max
) -> Any:
    """Returns the index of the first frame of the clip in the middle of a video.

    The clip lies in the middle of the frames 0, `stride`, 2 `stride`, .... If the video
    has fewer of them than the clip, it begins at 0.

    Args:
        length: Frames of the video, an int or a scalar tensor.
        count: Frames of the clip.
        stride: Frames of the video from one frame of the clip to the next.
        maximum: Returns the larger of two values; `tf.maximum` for tensors.
    """
    frames = (length + stride - 1) // stride
    return stride * maximum(0, (frames - count) // 2)


def taken_frames(
    length: Any, start: Any, stride: Any, steps: Any, minimum: Callable = np.minimum
) -> Any:
    """Returns the indices of the frames that a clip takes.

    Args:
        length: Frames of the video.
        start: Index of the first frame to take.
        stride: Frames from one to the next.
        steps: Array or tensor 0, 1, 2, ... of as many numbers as the clip has frames.
        minimum: Returns the smaller of two values; `tf.minimum` for tensors.
    """
    return start + stride * minimum(steps, (length - 1 - start) // stride)


def nearest_frames(
    length: int, start: int, stride: int, times: np.ndarray
) -> np.ndarray:
    """Returns the indices of the frames nearest to times, as `taken_frames` for steps.

    Args:
        length: Frames of the video.
        start: Index of the frame at time 0.
        stride: Frames of the video in a unit of time.
        times: Numbers [frames], which may be fractions, or before or after the video.
    """
    last = (length - 1 - start) // stride
    nearest = np.floor(start + stride * np.minimum(times, last) + 0.5)
    return np.maximum(nearest, 0).astype(int)


def repeat_last(frames: list, count: int) -> list:
    """Returns the first `count` frames; if there are fewer, the last is repeated."""
    return frames[:count] + frames[-1:] * (count - len(frames))
