"""Frames of a video file, a camera or a network stream, with their times."""

import math
import os
import time
from urllib.parse import unquote

import av
import cv2

from grw_tf.data.video_frames import sample_frames, upright

# Of a network stream that does not answer.
_TIMEOUT_MS = 10_000
_MOST_RATE = 60
_MOST_INDEX = 2**31 - 1


def as_path(source):
    """Returns the path of a file:// URL, and other sources as they are."""
    scheme, separator, rest = source.partition("://")
    if separator and scheme.lower() == "file":
        return unquote(rest.removeprefix("localhost"))
    return source


def is_live(source):
    """Whether a source is a camera's index or a stream's URL, and no file.

    What is at a URL of http is a file if it tells how long it lasts.
    """
    if not _is_web(source):
        return source.isdecimal() or "://" in source
    try:
        with av.open(
            source, timeout=_TIMEOUT_MS / 1000, metadata_errors="replace"
        ) as container:
            return not container.duration
    # Reading it will tell what is amiss.
    except (av.FFmpegError, OSError, ValueError):
        return True


def file_frames(path, fps, all_frames=False):
    """Yields a video file's frames at a steady rate, as `sample_frames`.

    Args:
      path: a video or an animated GIF, or the URL of one.
      fps: frames a second of the model.
      all_frames: whether to yield the frames between them too, at the least multiple
        of `fps` that leaves none out (up to 60 a second).

    Yields:
      (seconds since the first; uint8 [height, width, 3], RGB, upright; whether it is
      one of the model's).

    Raises:
      OSError, ValueError: if the file cannot be read or holds no video.
    """
    if not (_is_web(path) or os.path.isfile(path)):
        raise FileNotFoundError(f"{path} is not a file, a camera's index or a URL.")
    try:
        multiple = _multiple(path, fps) if all_frames else 1
        shown, picture = None, None
        for index, (seconds, frame) in enumerate(sample_frames(path, fps * multiple)):
            if frame is not shown:
                shown = frame
                picture = upright(frame.to_ndarray(format="rgb24"), frame)
            yield seconds, picture, index % multiple == 0
    except av.FFmpegError as error:
        raise ValueError(
            f"{path} cannot be read as a video: {error.strerror or error}."
        ) from None


def live_frames(source):
    """Yields the frames of a camera or network stream as they come.

    Args:
      source: a camera's index, or a URL that FFmpeg knows.

    Yields:
      (seconds since the first; uint8 [height, width, 3], RGB).

    Raises:
      OSError: if it cannot be opened, or gives no frame.
      ValueError: if there can be no such camera.
    """
    # What it would tell comes as one line of ours.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    if source.isdecimal():
        if len(source) > len(str(_MOST_INDEX)) or int(source) > _MOST_INDEX:
            raise ValueError(
                f"There is no camera {source:.40}: cameras are numbered 0, 1, ..."
            )
        capture = cv2.VideoCapture(int(source))
    else:
        timeouts = [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
            _TIMEOUT_MS,
            cv2.CAP_PROP_READ_TIMEOUT_MSEC,
            _TIMEOUT_MS,
        ]
        capture = cv2.VideoCapture(source, cv2.CAP_FFMPEG, timeouts)
    start = None
    try:
        while capture.isOpened():
            found, picture = capture.read()
            now = time.monotonic()
            if not found:
                break
            start = now if start is None else start
            yield now - start, cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    except cv2.error as error:
        reason = error.err or error
        raise OSError(f"{_named(source)} cannot be read: {reason}") from None
    finally:
        capture.release()
    if start is None:
        raise OSError(
            f"{_named(source)} gives no frames: is it there, switched on, and not in"
            " other use?"
        )


def _named(source):
    return f"Camera {source}" if source.isdecimal() else source


def _is_web(source):
    return source.lower().startswith(("http://", "https://"))


def _multiple(path, fps):
    with av.open(path, metadata_errors="replace") as container:
        stream = next(iter(container.streams.video), None)
        rate = float(stream.average_rate or 0) if stream else 0
    # Rates of 29.97 and the like are not doubled.
    return max(1, math.ceil(min(rate, _MOST_RATE) / fps - 0.01))
