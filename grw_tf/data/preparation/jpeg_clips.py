"""Reads videos as JPEG frames of moderate size."""

import dataclasses
import os

import cv2
import numpy as np

from grw_tf.data.videos.sampling import sample_pictures

# A record is a protocol buffer, which is smaller than 2 GiB.
_MAX_BYTES = 2**31 - 2**20


@dataclasses.dataclass(frozen=True)
class JpegClip:
    """Upright JPEG `frames`, all of `height` and `width` in pixels."""

    frames: list[bytes]
    height: int
    width: int


def read_jpegs(
    path: str | os.PathLike,
    fps: float,
    short_side: int,
    quality: int,
    start: float = 0.0,
    end: float | None = None,
) -> JpegClip:
    """Reads a video at a steady rate. Only the JPEG frames are held in memory.

    Frames keep their aspect ratio. Smaller ones are not enlarged, which would add bytes
    but no detail, since readers resize anyway.

    Args:
        path: A video or an animated GIF.
        fps: Frames per second to keep.
        short_side: Pixels to reduce the shorter of height and width to.
        quality: JPEG quality, 1 to 100.
        start: Seconds after the first frame at which to begin.
        end: Seconds after the first frame before which to stop. By default the end of
            the video.

    Raises:
        ValueError: As `sample_frames`, or if a record cannot hold the clip.
        av.FFmpegError: If the file cannot be decoded.
    """
    frames, total, size, shown, jpeg = [], 0, None, None, b""
    # One thread, since the other cores read other videos.
    for _, picture in sample_pictures(path, fps, start, end, 1, layout="bgr24"):
        if picture is not shown:
            size = size or _reduced(picture, short_side)
            resized = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
            shown, jpeg = picture, _encode(resized, quality)
        frames.append(jpeg)
        total += len(jpeg)
        if total > _MAX_BYTES:
            raise ValueError(
                f"{path} takes more than 2 GiB as JPEG frames: list shorter segments"
                " of it, by start and end, in a CSV file."
            )
    return JpegClip(frames, *resized.shape[:2])


def _reduced(picture: np.ndarray, short_side: int) -> tuple[int, int]:
    """Returns width and height, as OpenCV wants them."""
    height, width = picture.shape[:2]
    scale = min(1.0, short_side / min(height, width))
    return max(1, round(scale * width)), max(1, round(scale * height))


def _encode(picture: np.ndarray, quality: int) -> bytes:
    _, jpeg = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, quality))
    return jpeg.tobytes()
