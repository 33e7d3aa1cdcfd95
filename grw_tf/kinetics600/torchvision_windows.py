"""Chooses the frames of a video like torchvision's `VideoClips`.

Videos are resampled by frame index, not by time, and cut into consecutive windows from
the first frame on. Frames that do not fill a window are dropped, even a whole video.
(torchvision.datasets.video_utils, BSD-3. The published evaluation of the GRW models,
arXiv 2511.20928, reads Kinetics-600 with it.)
"""

import itertools
import math
from collections.abc import Iterator

import numpy as np


def sample_count(frames: int, rate: float, fps: float) -> int:
    """Returns the number of frames of the resampled video."""
    step = rate / fps
    # torchvision slices if it can, and slices include a last incomplete step.
    return math.ceil(frames / step) if step.is_integer() else int(frames * fps / rate)


def sampled_frames(rate: float, fps: float) -> Iterator[int]:
    """Yields the frame indices of the resampled video, without end."""
    # In single precision like torchvision, which matters near whole numbers.
    step = np.float32(rate / fps)
    return (int(np.float32(tick) * step) for tick in itertools.count())
