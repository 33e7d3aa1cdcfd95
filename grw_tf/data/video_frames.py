"""Frames of a video by time, whatever its codec, rate and rotation.

TensorFlow is not imported here, so that a runtime without it reads frames alike.
"""

import contextlib
import os
from collections.abc import Iterator

import av
import numpy as np

# Containers round time stamps to a millisecond.
_TOLERANCE = 1e-3
_FALLBACK_RATE = 25.0
# Titles and the like, not all in UTF-8, are of no concern here.
_METADATA_ERRORS = "replace"


def sample_frames(
    path: str | os.PathLike,
    fps: float,
    start: float = 0.0,
    end: float | None = None,
    threads: int = 0,
) -> Iterator[tuple[float, av.VideoFrame]]:
    """Yields a video's frames at a steady rate.

    At each time start + k / fps after the first frame it yields the frame then on
    screen, so frames are dropped or repeated as the video's own rate demands.

    Args:
        path: A video or an animated GIF.
        fps: Frames per second to yield.
        start: Seconds after the first frame at which to begin.
        end: Seconds after the first frame before which to stop; by default the
            end of the video.
        threads: Threads to decode in; 0 is one for each CPU.

    Yields:
        Seconds since `start`, and the frame; a repeated one is the same object.

    Raises:
        ValueError: If `fps` is not positive, or the file holds no video, one of an
            unknown codec, or one that ends before `start`.
        av.FFmpegError: If the file cannot be decoded.
    """
    check_positive(fps=fps)
    end = float("inf") if end is None else end
    tick, shown, now = 0, None, 0.0
    for now, frame in _timed_frames(path, start, threads):
        while shown is not None and start + tick / fps < min(now, end) - _TOLERANCE:
            yield tick / fps, shown
            tick += 1
        if now >= end:
            break
        shown = frame
    if not tick:
        raise ValueError(f"{path} ends at {now:.3g} s, before the start, {start:g} s.")


def upright(picture: np.ndarray, frame: av.VideoFrame) -> np.ndarray:
    """Turns a picture [height, width, ...] of a frame as its metadata says."""
    return np.ascontiguousarray(np.rot90(picture, round(frame.rotation / 90)))


@contextlib.contextmanager
def open_video(
    path: str | os.PathLike, threads: int
) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """Yields a file and its first video stream, ready to be decoded.

    Args:
        path: A video or an animated GIF.
        threads: Threads to decode in; 0 is one for each CPU.

    Raises:
        ValueError: If the file holds no video, or one of an unknown codec.
        av.FFmpegError: If the file cannot be opened.
    """
    with av.open(os.fspath(path), metadata_errors=_METADATA_ERRORS) as container:
        if not container.streams.video:
            raise ValueError(f"{path} holds no video.")
        stream = container.streams.video[0]
        if stream.codec_context is None:
            raise ValueError(f"{path} is of a codec that FFmpeg does not know.")
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = threads
        yield container, stream


def check_positive(**values: float) -> None:
    """Raises a `ValueError` that names the first of the values not above 0."""
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{name} is {value}: it must be above 0.")


def _timed_frames(
    path: str | os.PathLike, start: float, threads: int
) -> Iterator[tuple[float, av.VideoFrame | None]]:
    """Yields seconds since the first frame and the frame; the end and None last.

    Frames well before `start` are left out, but for the first.
    """
    with open_video(path, threads) as (container, stream):
        step = 1 / float(stream.average_rate or _FALLBACK_RATE)
        origin, now, last = None, -step, None
        for last in _decode(container, stream, start):
            if origin is None or last.time is None:
                now += step
            else:
                # Some AVI files with B-frames give times out of order.
                now = max(now, last.time - origin)
            if origin is None and last.time is not None:
                origin = last.time - now
            yield now, last
        if last is None:
            raise ValueError(f"{path} holds no frames.")
        if last.duration:
            step = float(last.duration * last.time_base)
        yield now + max(step, 2 * _TOLERANCE), None


def _decode(container, stream, start: float) -> Iterator[av.VideoFrame]:
    """Decodes the first frame, then from the last key frame up to `start` seconds."""
    frames = container.decode(stream)
    first = next(frames, None)
    if first is None:
        return
    yield first
    if start and first.time is not None:
        target = first.time + start
        try:
            container.seek(int(target / stream.time_base), stream=stream)
            frames = container.decode(stream)
            landed = next(frames, None)
        except av.FFmpegError:
            landed = None
        if landed is None or landed.time is None or landed.time > target:
            # A file without an index is decoded from the beginning.
            with av.open(container.name, metadata_errors=_METADATA_ERRORS) as container:
                yield from container.decode(video=0)
            return
        yield landed
    yield from frames
