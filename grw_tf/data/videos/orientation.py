"""Turns a video's frames upright and gives all of them one size, as ffmpeg does."""

import math
import os
from fractions import Fraction
from typing import Any

import av
import av.filter
import numpy as np

from grw_tf.data.videos.video_warning import warn_once

# Filters require a time base but ignore times.
_ANY_TIME_BASE = Fraction(1, 1000)


class UprightPictures:
    """Converts the frames of one video to pictures as ffmpeg shows them.

    FFmpeg's filters turn and mirror each frame by its display matrix. All pictures have
    the size of the first. Frames of another size are resized, with a warning.

    Args:
        name: Path or URL of the video, for warnings.
        layout: "rgb24" or "bgr24".
    """

    def __init__(self, name: str | os.PathLike, layout: str = "rgb24"):
        self._layout = layout
        self._size = FirstSize(name)
        self._kind: tuple | None = None
        self._graph: Any = None

    def __call__(self, frame: av.VideoFrame) -> np.ndarray:
        """Returns a frame as uint8 [height, width, 3].

        Raises:
            ValueError: If it cannot be converted.
            av.FFmpegError: If it cannot be converted.
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
    """Keeps the size of the first frame, and warns about the first other size.

    Args:
        name: Path or URL of the video, for the warning.
    """

    def __init__(self, name: str | os.PathLike):
        self._name = name
        self._first: tuple[int, int] | None = None

    def __call__(self, width: int, height: int) -> tuple[int, int]:
        """Takes the width and height of a frame and returns those of the first."""
        if self._first is None:
            self._first = width, height
        elif (width, height) != self._first:
            first = f"{self._first[0]} x {self._first[1]}"
            warn_once(
                os.fspath(self._name),
                f"the size of frames changes from {first} to {width} x {height} pixels:"
                " they are resized.",
            )
        return self._first


def _turning_filters(frame):
    """Returns the filters (name, arguments) with which ffmpeg turns a frame.

    See `configure_input_video_filter` and `get_rotation` in the sources of ffmpeg.
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
