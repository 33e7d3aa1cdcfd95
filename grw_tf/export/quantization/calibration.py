"""Finds the ranges of a float32 model's tensors, over real and artificial clips."""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
import tqdm

from grw_tf.export.quantization.rollouts import Rollout

FEWEST_FRAMES = 300
# They are kept in memory, as uint8; more would hardly widen any range.
MOST_FRAMES = 900
_STREAM_FRAMES = 300
_SEGMENT_FRAMES = 16
_SCENE_FRAMES = 10


@dataclasses.dataclass(frozen=True)
class Segment:
    """A few frames of a stream.

    Attributes:
        states: float32 states before them; None at the start of a stream.
        frames: uint8 [frames, size, size, 3].
    """

    states: dict | None
    frames: np.ndarray


@dataclasses.dataclass(frozen=True)
class Calibration:
    """What calibration found.

    Attributes:
        ranges: {name: (lowest, highest)} of tensors, as arrays of the tensor's rank.
        state_ranges: The same for the states, as two floats.
        segments: Starts and ends of streams.
        streams: The clips, end to end, uint8 [frames, size, size, 3] each.
    """

    ranges: dict
    state_ranges: dict
    segments: list[Segment]
    streams: list[np.ndarray]


def calibrate(
    content: bytes,
    clips: Iterable[np.ndarray],
    tensors: Iterable[str],
    threads: int = 1,
) -> Calibration:
    """Runs a float32 model's stream over clips end to end.

    It also runs it over drawn frames unlike any clip, because the quantized model clips
    values beyond the ranges that were seen.

    Args:
        content: A float32 TFLite model.
        clips: As for `join_clips`.
        tensors: Names of the step's tensors whose ranges to find.
        threads: Number of threads.

    Raises:
        ValueError: As `join_clips`.
    """
    rollout = Rollout(content, threads, observed=tensors)
    streams = join_clips(clips, rollout.image_shape)
    drawn = unlike_frames(streams[0], len(streams[0]) // 2)
    ranges: dict = {}
    # Streams start from zero.
    state_ranges = {name: (np.float32(0), np.float32(0)) for name in rollout.states}
    segments = []
    with tqdm.tqdm(
        total=sum(map(len, streams)) + len(drawn), desc="Calibrating", unit="frame"
    ) as bar:
        for stream in (*streams, drawn):
            rollout.restart()
            parts = list(rollout.steps(stream))
            few = -(-_SEGMENT_FRAMES // rollout.image_shape[0])
            segments.append(Segment(None, np.concatenate(parts[:few])))
            for index, part in enumerate(parts):
                if index == len(parts) - few:
                    late = np.concatenate(parts[index:])
                    segments.append(Segment(rollout.states, late))
                rollout.step(part)
                for name, value in rollout.values():
                    _widen(ranges, name, value, (1,) * value.ndim)
                for name, value in rollout.states.items():
                    _widen(state_ranges, name, value, ())
                bar.update(len(part))
    return Calibration(ranges, state_ranges, segments, streams)


def join_clips(
    clips: Iterable[np.ndarray], image_shape: Sequence[int]
) -> list[np.ndarray]:
    """Puts clips end to end, in streams of equal lengths of some hundred frames.

    Args:
        clips: Iterable of uint8 [frames, size, size, 3]; up to MOST_FRAMES are read.
        image_shape: Frames a step, size, size, 3.

    Raises:
        ValueError: If the clips have another shape or are too few.
    """
    step, *frame_shape = image_shape
    videos, count = [], 0
    for video in clips:
        if video.dtype != np.uint8 or list(video.shape[1:]) != frame_shape:
            expected = ", ".join(map(str, frame_shape))
            raise ValueError(
                f"A clip to calibrate on is {video.dtype} {list(video.shape)}: it must"
                f" be uint8 [frames, {expected}]."
            )
        videos.append(video[: MOST_FRAMES - count])
        count += len(videos[-1])
        if count == MOST_FRAMES:
            break
    if count < FEWEST_FRAMES:
        raise ValueError(
            f"The clips to calibrate on have {count} frames in all: give at least"
            f" {FEWEST_FRAMES}, of more or longer videos."
        )
    frames = np.concatenate(videos)
    length = count // (count // _STREAM_FRAMES) // step * step
    return [
        frames[start : start + length] for start in range(0, count - length + 1, length)
    ]


def unlike_frames(frames: np.ndarray, count: int) -> np.ndarray:
    """Returns uint8 frames [count, size, size, 3] unlike any video.

    They alternate between noise, plain colors, checkerboards, and negatives and
    silhouettes of `frames`.
    """
    rng = np.random.default_rng(0)
    kinds = (_noise, _plain, _checkerboard, _negative, _silhouette)
    drawn = np.empty((count, *frames.shape[1:]), np.uint8)
    for index in range(count):
        scene, place = divmod(index, _SCENE_FRAMES)
        draw = kinds[scene % len(kinds)]
        if place and draw in (_plain, _checkerboard):
            drawn[index] = drawn[index - 1]
        else:
            drawn[index] = draw(frames[rng.integers(len(frames))], rng)
    return drawn


def _noise(frame, rng):
    return rng.integers(0, 256, frame.shape)


def _plain(frame, rng):
    return rng.integers(0, 256, 3)


def _checkerboard(frame, rng):
    rows, columns = np.indices(frame.shape[:2]) // 2 ** rng.integers(0, 6)
    return ((rows + columns) % 2 * 255)[..., None]


def _negative(frame, rng):
    return 255 - frame


def _silhouette(frame, rng):
    return np.where(frame > 127, 255, 0)


def _widen(ranges, name, value, shape):
    """Widens a range {name: (lowest, highest)} by the values of an array."""
    low, high = value.min().reshape(shape), value.max().reshape(shape)
    if name in ranges:
        low = np.minimum(low, ranges[name][0])
        high = np.maximum(high, ranges[name][1])
    ranges[name] = low, high
