"""Which frames of a video a clip takes.

One rule for training, evaluation and export: a clip starts in the video, and a video
that is too short is followed by its last frame, repeated.
"""

from collections.abc import Callable
from typing import Any


def middle_start(length: Any, count: int, maximum: Callable = max) -> Any:
    """Returns where the middle `count` of `length` frames begin; 0 if they are fewer.

    Args:
        length: An int, or a scalar tensor.
        count: Frames to take.
        maximum: The larger of two; `tf.maximum` for tensors.
    """
    return maximum(0, (length - count) // 2)


def repeat_last(frames: list, count: int) -> list:
    """Returns the first `count` of frames, the last of them repeated if they are fewer.

    Args:
        frames: At least one.
        count: Frames of the clip.
    """
    return frames[:count] + frames[-1:] * (count - len(frames))
