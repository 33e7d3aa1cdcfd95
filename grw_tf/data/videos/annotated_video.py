"""Writes a video of frames with the likeliest classes drawn onto them."""

import os
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np

_CODECS = ("libx264", "libopenh264", "mpeg4")
_TICKS = 1000
_SUFFIXES = (".mp4", ".mkv", ".mov", ".avi")


class AnnotatedVideo:
    """A video file that is written frame by frame and can be played once closed.

    Args:
        path: The file, with suffix .mp4, .mkv, .mov or .avi.

    Raises:
        OSError, ValueError: If it cannot be written.
    """

    def __init__(self, path: str) -> None:
        if not path.lower().endswith(_SUFFIXES):
            raise ValueError(
                f"{path} cannot be written as a video: end its name in one of"
                f" {' '.join(_SUFFIXES)}."
            )
        folder = os.path.dirname(os.path.abspath(path))
        if not os.path.isdir(folder):
            raise FileNotFoundError(f"{path} cannot be written: there is no {folder}.")
        self._path = path
        self._codec = next(name for name in _CODECS if name in av.codecs_available)
        try:
            self._container = av.open(path, "w")
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._error(error) from None
        self._stream: Any = None
        self._last = -1

    def write(
        self,
        seconds: float,
        picture: np.ndarray,
        top: Sequence[tuple[str, float | None]],
    ) -> None:
        """Adds a frame.

        Args:
            seconds: Seconds since the first frame.
            picture: uint8 [height, width, 3], RGB, with the same size each time.
            top: Classes to draw, as (name, probability); without a bar for None.
        """
        # H.264 needs even sides.
        height, width = (side // 2 * 2 for side in picture.shape[:2])
        drawn = draw_classes(picture[:height, :width], top)
        frame = av.VideoFrame.from_ndarray(drawn, format="rgb24")
        self._last = frame.pts = max(self._last + 1, round(seconds * _TICKS))
        frame.time_base = Fraction(1, _TICKS)
        try:
            if self._stream is None:
                self._stream = self._container.add_stream(self._codec, rate=30)
                self._stream.codec_context.time_base = frame.time_base
                self._stream.width, self._stream.height = width, height
                self._stream.pix_fmt = "yuv420p"
            self._container.mux(self._stream.encode(frame))
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._error(error) from None

    def close(self) -> None:
        """Finishes the file.

        Raises:
            OSError: If it cannot be written.
        """
        try:
            if self._stream is not None:
                self._container.mux(self._stream.encode())
            self._container.close()
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._error(error) from None

    def _error(self, error):
        reason = getattr(error, "strerror", None) or error
        return OSError(f"{self._path} cannot be written as a video: {reason}.")


def draw_classes(
    picture: np.ndarray, top: Sequence[tuple[str, float | None]]
) -> np.ndarray:
    """Returns a picture with a line and a bar for each class, at its upper left.

    A class whose probability is None has no bar.
    """
    picture = np.ascontiguousarray(picture).copy()
    height, width = picture.shape[:2]
    scale = max(0.35, min(height, width) / 600)
    line = round(30 * scale)
    box = picture[: line * len(top) + line // 3, : min(width, round(320 * scale))]
    box[:] = box // 3
    for index, (name, probability) in enumerate(top):
        bottom = line * (index + 1)
        bar = round((probability or 0.0) * (box.shape[1] - 1))
        box[bottom - line + line // 4 : bottom + line // 8, :bar] //= 2
        box[bottom - line + line // 4 : bottom + line // 8, :bar, 1] += 80
        cv2.putText(
            box,
            name if probability is None else f"{probability:4.0%} {name}",
            (line // 4, bottom - line // 8),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.7 * scale,
            (255, 255, 255),
            max(1, round(1.5 * scale)),
            cv2.LINE_AA,
        )
    return picture
