"""Which frames of a video torchvision's `VideoClips` makes clips of.

Videos are resampled by the index of their frames, not by time, and cut into windows
one after the other from the first frame on. What fills no window is dropped, be it a
whole video. (torchvision.datasets.video_utils, BSD-3; the published evaluation of the
GRW models, arXiv 2511.20928, reads Kinetics-600 with it.)
"""

import itertools
import math
from collections.abc import Iterator

import numpy as np


def window_indices(frames: int, rate: float, fps: float, length: int) -> np.ndarray:
    """Returns the frames of each window, as int64 [windows, length].

    Args:
        frames: How many frames the video has.
        rate: Its frames a second.
        fps: Frames a second to resample to.
        length: Frames of a window.
    """
    samples = sample_count(frames, rate, fps)
    windows = samples // length
    ticks = np.arange(windows * length)
    return _frame_at(ticks, rate, fps).reshape(windows, length)


def sample_count(frames: int, rate: float, fps: float) -> int:
    """Returns how many frames the resampled video has."""
    step = rate / fps
    # torchvision slices where it can, and slices begin another step where they end.
    return math.ceil(frames / step) if step.is_integer() else int(frames * fps / rate)


def sampled_frames(rate: float, fps: float) -> Iterator[int]:
    """Yields the indices of the resampled video's frames, without end."""
    return (int(_frame_at(tick, rate, fps)) for tick in itertools.count())


def _frame_at(ticks, rate, fps):
    # In single precision, as torchvision: near whole numbers that decides.
    exact = np.asarray(ticks, np.float32) * np.float32(rate / fps)
    return np.floor(exact).astype(np.int64)
