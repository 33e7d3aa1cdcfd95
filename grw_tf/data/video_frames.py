"""Frames of a video by time, whatever its codec, rate, orientation and clock.

TensorFlow is not imported here, so that a runtime without it reads frames alike.
"""

import contextlib
import functools
import itertools
import logging
import math
import os
from collections.abc import Iterator
from fractions import Fraction

import av
import av.filter
import numpy as np
from av.stream import Disposition

from grw_tf.common.checks import check_positive
from grw_tf.frames.clock import TOLERANCE, FrameClock

_FALLBACK_RATE = 25.0
# Filters want one, and do not look at times.
_ANY_TIME_BASE = Fraction(1, 1000)
# Video streams that hold pictures, which players do not play.
_PICTURES = (
    Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
)
# Codecs of tracks that may be a cover which its file does not flag as one, and in how
# many packets of the file a second picture must come.
_PICTURE_CODECS = ("mjpeg", "png", "bmp", "gif", "tiff", "webp")
_MOST_PACKETS = 1000
# Titles and the like, not all in UTF-8, are of no concern here.
_METADATA_ERRORS = "replace"
# FFmpeg takes a clock that is set back by more than a minute for an overflow of its
# counter, and adds what that would be. `FrameClock` tells what happened.
_OPTIONS = {"correct_ts_overflow": "0"}
# Over UDP, packets are lost.
_RTSP_OPTIONS = {"rtsp_flags": "prefer_tcp"}
# FFmpeg's flag of formats whose clock may jump, MPEG-TS and the like.
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
    """Yields a video's frames at a steady rate.

    At each time start + k / fps after the first frame it yields the frame then on
    screen, so frames are dropped or repeated as the video's own rate demands.
    `FrameClock` says which, also where times are missing, jump or are set back.

    Args:
        path: A video or an animated GIF, or the URL of one.
        fps: Frames per second to yield.
        start: Seconds after the first frame at which to begin.
        end: Seconds after the first frame before which to stop; by default the
            end of the video.
        threads: Threads to decode in; 0 is one for each CPU.
        timeout: Seconds that a URL may take to answer; any time by default.

    Yields:
        Seconds since `start`, and the frame; a repeated one is the same object.

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
    """Yields the frames of `sample_frames` as pictures, as `UprightPictures` does.

    Args:
        path, fps, start, end, threads, timeout: As of `sample_frames`.
        layout: "rgb24" or "bgr24".

    Yields:
        Seconds since `start`, and uint8 [height, width, 3]; a repeated picture is the
        same object.

    Raises:
        ValueError, av.FFmpegError: As `sample_frames`.
    """
    upright = UprightPictures(path, layout)
    shown, picture = None, None
    for seconds, frame in sample_frames(path, fps, start, end, threads, timeout):
        if frame is not shown:
            shown, picture = frame, upright(frame)
        yield seconds, picture


class UprightPictures:
    """Converts the frames of one video to pictures as ffmpeg shows them.

    Each is turned and mirrored as the display matrix of its frame says, by ffmpeg's own
    filters. All have the size of the first: frames of another size are resized to it,
    with a warning.

    Args:
        name: What warnings call the video, a path or a URL.
        layout: "rgb24" or "bgr24".
    """

    def __init__(self, name: str | os.PathLike, layout: str = "rgb24"):
        self._layout = layout
        self._size = FirstSize(name)
        self._kind = self._graph = None

    def __call__(self, frame: av.VideoFrame) -> np.ndarray:
        """Returns a frame as uint8 [height, width, 3].

        Raises:
            ValueError, av.FFmpegError: If it cannot be converted.
        """
        filters = _turning_filters(frame)
        if filters:
            kind = (frame.width, frame.height, frame.format.name, filters)
            if kind != self._kind:
                self._kind, self._graph = kind, _filter_graph(frame, filters)
            self._graph.push(frame)
            frame = self._graph.pull()
        width, height = self._size(frame.width, frame.height)
        return frame.to_ndarray(format=self._layout, width=width, height=height)


class FirstSize:
    """Keeps the size of a video's first frame, and warns of the first other size.

    Args:
        name: What the warning calls the video, a path or a URL.
    """

    def __init__(self, name: str | os.PathLike):
        self._name = name
        self._first = None

    def __call__(self, width: int, height: int) -> tuple[int, int]:
        """Takes a frame's width and height in pixels, returns those of the first."""
        if self._first is None:
            self._first = width, height
        elif (width, height) != self._first:
            first = f"{self._first[0]} x {self._first[1]}"
            _warn_once(
                self._name,
                f"the size of frames changes from {first} to {width} x {height} pixels:"
                " they are resized.",
            )
        return self._first


@contextlib.contextmanager
def open_video(
    path: str | os.PathLike, threads: int, timeout: float | None = None
) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """Yields a file or a stream of the network, and its video, ready to be decoded.

    Warns if it has other videos.

    Args:
        path: A video or an animated GIF, or a URL.
        threads: Threads to decode in; 0 is one for each CPU.
        timeout: Seconds that a URL may take to answer; any time by default.

    Raises:
        ValueError: If it holds no video, or FFmpeg does not know the video's codec.
        av.FFmpegError: If it cannot be opened.
    """
    path = os.fspath(path)
    with av.open(
        path,
        options=_OPTIONS | (_RTSP_OPTIONS if path.startswith("rtsp") else {}),
        metadata_errors=_METADATA_ERRORS,
        timeout=timeout,
    ) as container:
        streams = _moving_streams(container)
        if not streams:
            raise ValueError(f"{path} holds no video.")
        stream, *others = streams
        codec = stream.codec_context
        if codec is None:
            raise ValueError(f"{path} has a codec that FFmpeg does not know.")
        if others:
            _warn_once(
                path,
                f"it has {len(streams)} video tracks: track {stream.index},"
                f" {codec.width} x {codec.height} pixels, is read, and no other.",
            )
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = threads
        yield container, stream


def moving_stream(container: av.container.InputContainer) -> av.VideoStream | None:
    """Returns the video of a file or stream, or None if it has none.

    As in ffmpeg, of several videos it is the one that is flagged as the default, else
    the largest. Cover art and other pictures that do not move are no videos.
    """
    return next(iter(_moving_streams(container)), None)


def _moving_streams(container):
    """Returns all videos, the one to be read first."""
    videos = [s for s in container.streams.video if not s.disposition & _PICTURES]
    if len(videos) < 2:
        return videos
    single = _single_pictures(container, videos)
    moving = [video for video in videos if video.index not in single]
    return sorted(moving or videos, key=_rank, reverse=True)


def _rank(stream):
    codec = stream.codec_context
    is_default = bool(stream.disposition & Disposition.default)
    return codec is not None, is_default, codec.width * codec.height if codec else 0


def _single_pictures(container, videos):
    """Returns indices of those videos that have one picture only."""
    counts = {
        video.index: 0
        for video in videos
        if video.codec_context and video.codec_context.name in _PICTURE_CODECS
    }
    # What has no end cannot be read twice.
    if not counts or container.size <= 0:
        return ()
    with av.open(
        container.name,
        options=dict(container.options),
        metadata_errors=_METADATA_ERRORS,
        timeout=(container.open_timeout, container.read_timeout),
    ) as again:
        for packet in itertools.islice(again.demux(), _MOST_PACKETS):
            if packet.stream.index in counts and packet.size:
                counts[packet.stream.index] += 1
                if min(counts.values()) > 1:
                    break
    return [index for index, count in counts.items() if count < 2]


@functools.lru_cache(maxsize=1024)
def _warn_once(name, message):
    """Logs a warning, once for all segments of a video."""
    logging.getLogger(__name__).warning("%s: %s", name, message)


def _turning_filters(frame):
    """Returns the filters (name, arguments) that the ffmpeg tool turns a frame by.

    See `configure_input_video_filter` and `get_rotation` in its sources.
    """
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return ()
    # Pixel (x, y) is shown at (a x + c y, b x + d y).
    a, b, _, c, d, *_ = np.frombuffer(data, np.int32).tolist()
    if not (a or c) or not (b or d):
        return ()
    degrees = math.degrees(math.atan2(b / math.hypot(b, d), a / math.hypot(a, c)))
    degrees = round(degrees) % 360
    if degrees == 90:
        return (("transpose", "cclock_flip" if c > 0 else "clock"),)
    if degrees == 270:
        return (("transpose", "clock_flip" if c < 0 else "cclock"),)
    if degrees not in (0, 1, 180):
        return (("rotate", f"{degrees}*PI/180"),)
    flips = [("hflip", None)] if degrees == 180 and a < 0 else []
    if degrees != 1 and d < 0:
        flips.append(("vflip", None))
    return tuple(flips)


def _filter_graph(frame, filters):
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format,
        time_base=frame.time_base or _ANY_TIME_BASE,
    )
    nodes = [graph.add(name, arguments) for name, arguments in filters]
    graph.link_nodes(source, *nodes, graph.add("buffersink")).configure()
    return graph


def _timed_frames(path, fps, start, threads, timeout):
    """Yields frames and, before each, the ticks that fell to the one before.

    Ticks are seconds from the first frame of the video. None comes after the last.
    """

    def warn(kind, message):
        # Frames that take another's place are usual: AVI stores B-frames so.
        if kind == "jump":
            logging.getLogger(__name__).warning("%s: %s", path, message)

    def positions(count, skipped):
        return [start + (ticks + k) / fps + skipped for k in range(count)]

    with open_video(path, threads, timeout) as (container, stream):
        # Where there are no times, the rate that the codec tells is the better one.
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
    """Decodes the first frame, then from the last key frame up to `start` seconds."""
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
            # It cannot be sought, and is decoded from the beginning.
            threads = stream.codec_context.thread_count
            with open_video(container.name, threads) as (container, stream):
                yield from container.decode(stream)
            return
        yield landed
    yield from frames


def _is_set_back(container):
    """Whether a file's clock is set back somewhere, so that times cannot be sought."""
    if not container.format.flags & _CLOCK_MAY_JUMP:
        return False
    return _packets_are_set_back(container.name, os.stat(container.name).st_mtime_ns)


@functools.lru_cache(maxsize=256)
def _packets_are_set_back(path, modified):
    """Reads all packets but decodes none: segments of one file ask many times."""
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
