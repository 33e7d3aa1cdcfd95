"""Frames of a video file, a camera or a network stream, with their times.

Files and streams are read by PyAV, as in training. Cameras are read by OpenCV: FFmpeg
finds them by the names that each system gives them, and not by an index.
"""

import errno
import logging
import math
import os
import socket
import time
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

import av
import numpy as np

from grw_tf.data.videos.orientation import UprightPictures
from grw_tf.data.videos.sampling import sample_pictures
from grw_tf.data.videos.stream_choice import open_video

# Limit for a network source that does not answer.
_TIMEOUT_MS = 10_000
# FFmpeg's formats that list where the video is.
_PLAYLISTS = ("hls", "dash", "sdp")
_HTTP_ERRORS = (av.error.HTTPError, av.error.HTTPClientError)
_ASK = "is it there, switched on, and not in other use?"
_MOST_RATE = 60
_MOST_INDEX = 2**31 - 1


def as_path(source: str) -> str:
    """Returns the path of a file:// URL, and other sources as they are."""
    scheme, separator, rest = source.partition("://")
    if separator and scheme.lower() == "file":
        return unquote(rest.removeprefix("localhost"))
    return source


def is_live(source: str) -> bool:
    """Returns whether a source is a camera's index or a stream's URL, not a file.

    What is at an http URL is a file if its duration is known, or if the server gives
    its size.
    """
    if not _is_web(source):
        return source.isdecimal() or "://" in source
    try:
        with _open(source, threads=1) as (container, _):
            # The size of a playlist is not the video's.
            is_playlist = container.format.name in _PLAYLISTS
            return not container.duration and (is_playlist or container.size <= 0)
    # Reading it will report what is wrong.
    except (av.FFmpegError, OSError, ValueError):
        return True


def file_frames(
    path: str, fps: float, all_frames: bool = False
) -> Iterator[tuple[float, np.ndarray, bool]]:
    """Yields a video file's frames at a steady rate, as `sample_frames`.

    Args:
        path: A video or an animated GIF, or the URL of one.
        fps: The model's frames per second.
        all_frames: Whether to yield the frames between them too, at the least multiple
            of `fps` that leaves none out (up to 60 per second).

    Yields:
        Seconds since the first frame; uint8 [height, width, 3], RGB, upright; and
        whether the frame is one of the model's.

    Raises:
        OSError, ValueError: If the file cannot be read or holds no video.
    """
    if not (_is_web(path) or os.path.isfile(path)):
        raise FileNotFoundError(f"{path} is not a file, a camera's index or a URL.")
    try:
        multiple = _multiple(path, fps) if all_frames else 1
        pictures = sample_pictures(path, fps * multiple, timeout=_TIMEOUT_MS / 1000)
        for index, (seconds, picture) in enumerate(pictures):
            yield seconds, picture, index % multiple == 0
    except av.FFmpegError as error:
        raise ValueError(
            f"{path} cannot be read as a video: {_reason(error)}."
        ) from None


def live_frames(source: str) -> Iterator[tuple[float, np.ndarray]]:
    """Yields the frames of a camera or network stream as they come.

    Damaged frames of a stream are left out; their number is logged at the end.

    Args:
        source: A camera's index, or a URL that FFmpeg knows.

    Yields:
        Seconds since the first frame; and uint8 [height, width, 3], RGB, upright, all
        of the size of the first.

    Raises:
        OSError: If it cannot be opened, gives no frame, stalls or breaks off.
        ValueError: If there is no such camera, or the stream has no video.
    """
    frames = _camera_frames if source.isdecimal() else _stream_frames
    start = None
    for picture in frames(source):
        now = time.monotonic()
        start = now if start is None else start
        yield now - start, picture
    if start is None:
        raise _no_frames(source, _ASK)


def _camera_frames(source):
    # FFmpeg's streams need no OpenCV.
    import cv2

    if len(source) > len(str(_MOST_INDEX)) or int(source) > _MOST_INDEX:
        raise ValueError(
            f"There is no camera {source:.40}: cameras are numbered 0, 1, ..."
        )
    # Errors are reported below, in one line.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    capture = cv2.VideoCapture(int(source))
    try:
        while capture.isOpened():
            found, picture = capture.read()
            if not found:
                break
            yield cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    except cv2.error as error:
        reason = error.err or error
        raise OSError(f"{_named(source)} cannot be read: {reason}") from None
    finally:
        capture.release()


def _stream_frames(source):
    good, damaged, reason, why = 0, 0, "", "it ended before the first one."
    upright = UprightPictures(source)
    waiting_since = time.monotonic()
    endless = False
    try:
        with _open(source, threads=0) as (container, stream):
            endless = container.size < 0
            # Threads that decode whole frames would delay each frame by several.
            stream.thread_type = "SLICE"
            for packet in _then_none(container.demux(stream)):
                try:
                    frames = stream.decode(packet)
                    pictures = [upright(f) for f in frames if not f.is_corrupt]
                except (av.FFmpegError, ValueError) as error:
                    damaged += 1
                    why = f"none can be decoded ({_reason(error)})."
                    continue
                damaged += len(frames) - len(pictures)
                for picture in pictures:
                    good += 1
                    yield picture
                if packet is not None:
                    waiting_since = time.monotonic()
    except av.FFmpegError as error:
        reason = _reason(error)
        # Some protocols report a timeout otherwise.
        if time.monotonic() - waiting_since >= _TIMEOUT_MS / 1000:
            reason = _nothing_came()
        # A server that gives no length ends a stream like this.
        elif error.errno == errno.EIO and _is_web(source) and endless:
            reason = ""
        if good and reason:
            raise OSError(
                f"{source} broke off after {good} frames: {reason}."
            ) from None
        if reason:
            why = _why_none(source, error, reason)
    finally:
        if damaged:
            logging.getLogger(__name__).warning(
                "%s: %d of %d frames were damaged and left out.",
                source,
                damaged,
                good + damaged,
            )
    if not good:
        raise _no_frames(source, why)


def _then_none(packets):
    """Yields packets, and None if they break off, so that decoders give the rest."""
    try:
        yield from packets
    except av.FFmpegError:
        yield None
        raise


def _open(source, threads):
    return open_video(source, threads, timeout=_TIMEOUT_MS / 1000)


def _no_frames(source, why):
    return OSError(f"{_named(source)} gives no frames: {why}")


def _why_none(source, error, reason):
    """Returns why a stream gives no frames, as far as FFmpeg's error says."""
    if isinstance(error, _HTTP_ERRORS):
        return f"the server answered {reason.removeprefix('Server returned ')}."
    if isinstance(error, av.error.ProtocolNotFoundError):
        return f"FFmpeg knows no protocol {source.partition('://')[0]}."
    host = _missing_host(source)
    if host:
        return f"there is no host {host}."
    # A server that gives no length ends other content like this.
    ended = error.errno == errno.EIO and source.lower().startswith("http://")
    if ended or isinstance(error, av.error.InvalidDataError | av.error.EOFError):
        return "what is there is not a video."
    return f"{_ASK} ({reason})"


def _missing_host(source):
    """Returns the name of a URL's host if it cannot be found, which FFmpeg hides."""
    try:
        host = urlsplit(source).hostname
        if host:
            socket.getaddrinfo(host, None)
    except (socket.gaierror, UnicodeError):
        return host
    except ValueError:
        return source
    return None


def _named(source):
    return f"Camera {source}" if source.isdecimal() else source


def _reason(error):
    if isinstance(error, av.error.ExitError):
        return _nothing_came()
    return getattr(error, "strerror", None) or str(error)


def _nothing_came():
    return f"nothing came for {_TIMEOUT_MS / 1000:g} s"


def _is_web(source):
    return source.lower().startswith(("http://", "https://"))


def _multiple(path, fps):
    with _open(path, threads=1) as (_, stream):
        rate = float(stream.average_rate or 0)
    # Rates such as 29.97 are not doubled.
    return max(1, math.ceil(min(rate, _MOST_RATE) / fps - 0.01))
