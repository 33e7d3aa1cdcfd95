"""Opens a video and chooses the stream to read, as players do."""

import contextlib
import itertools
import os
from collections.abc import Iterator

import av
from av.stream import Disposition

from grw_tf.data.videos.video_warning import warn_once

# Video streams that hold pictures, which players do not play.
_PICTURES = (
    Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
)
# Codecs of tracks that may be a cover without being flagged as one, and the number of
# packets of the file within which a second picture must come.
_PICTURE_CODECS = ("mjpeg", "png", "bmp", "gif", "tiff", "webp")
_MOST_PACKETS = 1000
# Titles and other metadata, which are not always UTF-8, are not used.
_METADATA_ERRORS = "replace"
# FFmpeg takes a clock that is set back by more than a minute for an overflow of its
# counter, and corrects for that. `FrameClock` finds out what happened instead.
_OPTIONS = {"correct_ts_overflow": "0"}
# Over UDP, packets are lost.
_RTSP_OPTIONS = {"rtsp_flags": "prefer_tcp"}


@contextlib.contextmanager
def open_video(
    path: str | os.PathLike, threads: int, timeout: float | None = None
) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """Opens a file or network stream, and yields it and its video stream.

    It warns if there are other video streams.

    Args:
        path: A video or an animated GIF, or the URL of one.
        threads: Threads to decode in. 0 is one per CPU.
        timeout: Seconds that a URL may take to answer. By default unlimited.

    Raises:
        ValueError: If there is no video or its codec is unknown to FFmpeg.
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
            warn_once(
                path,
                f"it has {len(streams)} video tracks: track {stream.index},"
                f" {codec.width} x {codec.height} pixels, is read, and no other.",
            )
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = threads
        yield container, stream


def moving_stream(container: av.container.InputContainer) -> av.VideoStream | None:
    """Returns the video stream of a file or network stream, or None without one.

    Like ffmpeg, it prefers the video that is flagged as the default, then the largest.
    Cover art and other still pictures do not count.
    """
    return next(iter(_moving_streams(container)), None)


def _moving_streams(container):
    """Returns all video streams, the one to read first."""
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
    """Returns the indices of the video streams with a single picture."""
    counts = {
        video.index: 0
        for video in videos
        if video.codec_context and video.codec_context.name in _PICTURE_CODECS
    }
    # A live stream cannot be read twice.
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
