"""Long streams of frames for checks and calibration of exported files."""

import itertools
import logging
import os
import random

import av
import cv2
import numpy as np
import tqdm

from grw_tf.data.listing.file_kinds import is_video
from grw_tf.data.listing.video_list import list_folder
from grw_tf.data.records.evaluation_records import EvaluationRecords
from grw_tf.data.videos.clips import stream_frames
from grw_tf.frames.opencv_preparation import prepare_frame
from grw_tf.models.config import ModelConfig

FRAMES = 300
_SCENE_FRAMES = 25


def real_streams(
    clips: str,
    config: ModelConfig,
    count: int,
    part: tuple[int, int] = (0, 1),
    frames: int = FRAMES,
) -> list[np.ndarray]:
    """Reads streams of real clips end to end, repeated if there are too few.

    Args:
        clips: Paths of records, separated by commas, with or without wildcards; or a
            folder of class folders of videos.
        config: The model's `ModelConfig`.
        count: Number of streams.
        part: (start, step) of the videos to use, so that two uses can have different
            ones.
        frames: Length of each stream.

    Returns:
        A list of uint8 [frames, size, size, 3], RGB, as `prepare_frame` makes them.

    Raises:
        ValueError, OSError: If there are no clips that can be read.
    """
    waiting = _endless_frames(clips, config, part)
    return [
        np.stack(list(itertools.islice(waiting, frames)))
        for _ in tqdm.trange(count, desc="Reading clips", unit="stream")
    ]


def drawn_streams(
    config: ModelConfig, count: int, frames: int = FRAMES, seed: int = 0
) -> list[np.ndarray]:
    """Draws streams of scenes: soft, drifting blobs, with cuts as in videos.

    Args, returns: as `real_streams`; `seed` says which scenes.
    """
    rng = np.random.default_rng(seed)
    geometry = config.frame_geometry
    streams = []
    for _ in range(count):
        stream: list[np.ndarray] = []
        while len(stream) < frames:
            stream += [prepare_frame(f, geometry) for f in _scene(rng, geometry.side)]
        streams.append(np.stack(stream[:frames]))
    return streams


def _endless_frames(clips, config, part):
    start, step = part
    while True:
        empty = True
        for video in itertools.islice(_videos(clips, config), start, None, step):
            for frame in video:
                empty = False
                yield frame
        if empty:
            needed = "one" if step == 1 else f"{step}, for calibration and checks"
            raise ValueError(
                f"{clips} has fewer videos that can be read than are needed: {needed}."
            )


def _videos(clips, config):
    if not os.path.isdir(clips) and is_video(clips):
        raise ValueError(
            f"{clips} is a video: give the folder of class folders that it lies in."
        )
    if os.path.isdir(clips):
        videos = list_folder(clips)
        # They are listed class by class.
        random.Random(0).shuffle(videos)
        for video in videos:
            yield _read(video.path, config)
    else:
        for video in EvaluationRecords(clips, config, progress=False).videos():
            frames = video.frames[:: video.stride]
            yield [prepare_frame(frame, config.frame_geometry) for frame in frames]


def _read(path, config):
    try:
        frames = stream_frames(path, config.fps, config.frame_geometry)
        return [frame for _, frame in frames]
    except (av.FFmpegError, ValueError) as error:
        logging.warning("Left out %s: %s", path, error)
        return []


def _scene(rng, side):
    """Yields the frames of one scene: a window that moves over a soft picture."""
    coarse = rng.integers(0, 256, (12, 12, 3), np.uint8)
    picture = cv2.resize(coarse, (2 * side, 2 * side), interpolation=cv2.INTER_CUBIC)
    place, velocity = rng.uniform(0, side, 2), rng.uniform(-0.05, 0.05, 2) * side
    for _ in range(_SCENE_FRAMES):
        place = place + velocity
        velocity = np.where((place < 0) | (place > side), -velocity, velocity)
        top, left = np.clip(place, 0, side).astype(int)
        yield picture[top : top + side, left : left + side]
