"""Which frames of a video a clip takes.

One rule for training, evaluation and export: a clip takes every `stride`-th frame from
its first on. Where the video ends too soon, the last frame taken is repeated.
"""

from collections.abc import Callable
from typing import Any

import numpy as np


def middle_start(
    length: Any, count: int, stride: int = 1, maximum: Callable = max
) -> Any:
    """Returns the first frame of the clip in the middle of a video.

    It is the middle of the frames 0, `stride`, 2 `stride`, ..., or 0 if the video has
    fewer of them than the clip.

    Args:
        length: Frames of the video, an int or a scalar tensor.
        count: Frames of the clip.
        stride: Frames of the video from one of the clip to the next.
        maximum: The larger of two; `tf.maximum` for tensors.
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
        steps: 0, 1, 2, ... to the clip's frames less 1, an array or a tensor.
        minimum: The smaller of two; `tf.minimum` for tensors.
    """
    return start + stride * minimum(steps, (length - 1 - start) // stride)


def repeat_last(frames: list, count: int) -> list:
    """Returns the first `count` of frames, the last of them repeated if they are fewer.

    Args:
        frames: At least one.
        count: Frames of the clip.
    """
    return frames[:count] + frames[-1:] * (count - len(frames))
