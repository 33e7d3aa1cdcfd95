"""Samples a video's frames at a steady rate, whatever its own rate and clock.

TensorFlow is not imported here, so a runtime without it reads the same frames.
"""

import contextlib
import functools
import logging
import os
from collections.abc import Iterator

import av
import numpy as np

from grw_tf.common.checks import check_positive
from grw_tf.data.videos.orientation import UprightPictures
from grw_tf.data.videos.stream_choice import open_video
from grw_tf.frames.clock import TOLERANCE, FrameClock

_FALLBACK_RATE = 25.0
# FFmpeg's flag of formats whose clock may jump, such as MPEG-TS.
_CLOCK_MAY_JUMP = 0x0200
# Seconds by which a packet may be earlier than the one before it, as in ffmpeg.
_MOST_EARLY = 0.1


def sample_frames(
    path: str | os.PathLike,
    fps: float,
    start: float = 0.0,
    end: float | None = None,
    threads: int = 0,
    timeout: float | None = None,
) -> Iterator[tuple[float, av.VideoFrame]]:
    """Yields the frames of a video at a steady rate.

    At each time start + k / fps after the first frame, it yields the frame on screen,
    so frames of the video are dropped or repeated. `FrameClock` chooses them, also if
    times are missing, jump or are set back.

    Args:
        path: A video or an animated GIF, or the URL of one.
        fps: Frames per second to yield.
        start: Seconds after the first frame at which to begin.
        end: Seconds after the first frame before which to stop. By default the end of
            the video.
        threads: Threads to decode in. 0 is one per CPU.
        timeout: Seconds that a URL may take to answer. By default unlimited.

    Yields:
        Seconds since `start`, and the frame. Repeated frames are the same object.

    Raises:
        ValueError: If `fps` is not positive, the file holds no video, FFmpeg does not
            know the video's codec, or the video ends before `start`.
        av.FFmpegError: If the file cannot be decoded.
    """
    check_positive(fps=fps)
    end = float("inf") if end is None else end
    tick, shown = 0, None
    for positions, frame in _timed_frames(path, fps, start, threads, timeout):
        for position in positions:
            if position < end - TOLERANCE:
                yield tick / fps, shown
                tick += 1
            elif tick:
                return
            else:
                raise ValueError(f"{path} has no frame from {start:g} to {end:g} s.")
        shown = frame


def sample_pictures(
    path: str | os.PathLike,
    fps: float,
    start: float = 0.0,
    end: float | None = None,
    threads: int = 0,
    layout: str = "rgb24",
    timeout: float | None = None,
) -> Iterator[tuple[float, np.ndarray]]:
    """Yields the frames of `sample_frames` as upright pictures.

    Arguments and errors are those of `sample_frames`; `layout` is "rgb24" or "bgr24".

    Yields:
        Seconds since `start`, and uint8 [height, width, 3]. Repeated pictures are the
        same object.
    """
    upright = UprightPictures(path, layout)
    shown: av.VideoFrame | None = None
    picture = np.empty(0)
    for seconds, frame in sample_frames(path, fps, start, end, threads, timeout):
        if frame is not shown:
            shown, picture = frame, upright(frame)
        yield seconds, picture


def _timed_frames(path, fps, start, threads, timeout):
    """Yields each frame with the ticks of the frame before it.

    Ticks are seconds from the first frame of the video. The last item has no frame.
    """

    def warn(kind, message):
        # Replaced frames are common: AVI stores B-frames out of order.
        if kind == "jump":
            logging.getLogger(__name__).warning("%s: %s", path, message)

    def positions(count, skipped):
        return [start + (ticks + k) / fps + skipped for k in range(count)]

    with open_video(path, threads, timeout) as (container, stream):
        # Without time stamps, the rate of the codec is the better guess.
        rate = stream.guessed_rate or stream.average_rate or _FALLBACK_RATE
        step = 1 / float(rate)
        clock = FrameClock(fps, interval=step, start=start, warn=warn)
        ticks, frame = 0, None
        for frame in _decode(container, stream, start):
            skipped, count = clock.skipped, clock.arrive(frame.time)
            yield positions(count, skipped), frame
            ticks += count
        if frame is None:
            raise ValueError(f"{path} has no frames.")
        if frame.duration:
            step = float(frame.duration * frame.time_base)
        skipped, ended = clock.skipped, clock.position + step
        count = clock.end(clock.time + step)
        if not ticks + count:
            raise ValueError(
                f"{path} ends at {ended:.3g} s, before the start, {start:g} s."
            )
        yield positions(count, skipped), None


def _decode(container, stream, start):
    """Decodes the first frame, then all from the last key frame before `start`."""
    frames = container.decode(stream)
    first = next(frames, None)
    if first is None:
        return
    yield first
    if start and first.time is not None:
        target = first.time + start
        landed = None
        if not _is_set_back(container):
            with contextlib.suppress(av.FFmpegError):
                container.seek(int(target / stream.time_base), stream=stream)
                frames = container.decode(stream)
                landed = next(frames, None)
        if landed is None or landed.time is None or landed.time > target:
            # The file cannot be sought, so it is decoded from the beginning.
            threads = stream.codec_context.thread_count
            with open_video(container.name, threads) as (container, stream):
                yield from container.decode(stream)
            return
        yield landed
    yield from frames


def _is_set_back(container):
    """Returns whether the clock is set back somewhere, so that seeking fails."""
    if not container.format.flags & _CLOCK_MAY_JUMP:
        return False
    return _packets_are_set_back(container.name, os.stat(container.name).st_mtime_ns)


@functools.lru_cache(maxsize=256)
def _packets_are_set_back(path, modified):
    """Reads all packets. The result is cached, since files have many segments."""
    del modified  # A part of the key.
    last = -float("inf")
    with open_video(path, threads=1) as (container, stream):
        for packet in container.demux(stream):
            if packet.dts is not None:
                now = float(packet.dts * packet.time_base)
                if now < last - _MOST_EARLY:
                    return True
                last = now
    return False
