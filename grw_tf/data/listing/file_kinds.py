"""Distinguishes videos from other files by name or, failing that, by FFmpeg."""

import os
import stat

import av

from grw_tf.data.videos.stream_choice import moving_stream

# Files with these names count as videos without being opened, so damaged ones are
# reported when they are read.
SUFFIXES = (
    *(".mp4", ".avi", ".mov", ".gif", ".webm", ".mkv", ".m4v", ".mpg", ".mpeg"),
    *(".ts", ".mts", ".m2ts", ".vob", ".asf", ".wmv", ".flv", ".f4v", ".3gp", ".3g2"),
    *(".ogv", ".mxf", ".dv", ".divx", ".m2v", ".rm", ".rmvb", ".qt", ".y4m"),
    *(".h264", ".264", ".h265", ".265", ".hevc", ".mjpeg", ".mjpg"),
)
VIDEO = "video"
TEXT = "text file"
PICTURE = "picture"
SOUND = "sound file"
EMPTY = "empty file"
OTHER = "file in which FFmpeg finds no video"
# TypeScript files and still pictures have these suffixes too.
_AMBIGUOUS = (".ts", ".gif")
# These codecs turn any text into pictures.
_TEXT_ART = ("ansi", "bintext", "xbin", "idf")
_HEAD = 4096
_CONTROL = bytes({*range(9), *range(14, 27), *range(28, 32)})
_BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")
_JPEG = b"\xff\xd8\xff"
_JPEG_NAMES = (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo")
_RAW_VIDEO_IN_TEXT = b"YUV4MPEG2 "


def named_as_video(name: str) -> bool:
    """Returns whether a name has the suffix of a video, in upper or lower case."""
    return name.lower().endswith(SUFFIXES)


def surely_video(name: str) -> bool:
    """Returns whether the name alone shows that a file is a video."""
    return named_as_video(name) and not name.lower().endswith(_AMBIGUOUS)


def is_video(path: str | os.PathLike) -> bool:
    """Returns whether `file_kind` finds that a file is a video."""
    return file_kind(path) == VIDEO


def file_kind(path: str | os.PathLike) -> str:
    """Returns `VIDEO`, `TEXT`, `PICTURE`, `SOUND`, `EMPTY` or `OTHER`.

    A file with the name of a video counts as one, whatever it holds, so that reading it
    reports what is wrong. Any other file is a video if FFmpeg finds two or more frames.
    Animations are therefore videos; single pictures and covers of sound files are not.
    A call takes about a millisecond.

    Raises:
        OSError: If the file cannot be read.
    """
    path = os.fspath(path)
    if surely_video(path):
        return VIDEO
    found = _content_kind(path)
    damaged = named_as_video(path) and found in (EMPTY, OTHER)
    return VIDEO if damaged else found


def _content_kind(path: str) -> str:
    try:
        # Opening a pipe would wait for its writer.
        if not stat.S_ISREG(os.stat(path).st_mode):
            return OTHER
    except FileNotFoundError:
        return OTHER
    with open(path, "rb") as file:
        head = file.read(_HEAD)
    if not head:
        return EMPTY
    # FFmpeg never gets text: a playlist would make it open other files.
    if _is_text(head):
        return TEXT
    try:
        # Even if the path looks like a URL, it is a file.
        return _probed(f"file:{path}")
    except (av.FFmpegError, ValueError, UnicodeError):
        return OTHER


def _is_text(head: bytes) -> bool:
    if head.startswith(_BYTE_ORDER_MARKS):
        return True
    plain = len(head.translate(None, _CONTROL)) == len(head)
    return plain and not head.startswith(_RAW_VIDEO_IN_TEXT)


def _probed(url: str) -> str:
    with av.open(
        url, metadata_errors="replace", options={"protocol_whitelist": "file"}
    ) as container:
        stream = moving_stream(container)
        codec = stream and stream.codec_context
        if codec is None or not codec.width or codec.name in _TEXT_ART:
            return SOUND if container.streams.audio else OTHER
        kind = container.format.name
        if kind in ("mjpeg", "jpeg_pipe"):
            if not _may_be_film_of_jpegs(url):
                return PICTURE
        elif kind.endswith(("_pipe", "image2")):
            return PICTURE
        frames = 0
        for packet in container.demux(stream):
            frames += packet.size > 0
            if frames > 1:
                return VIDEO
        return PICTURE if frames else OTHER


def _may_be_film_of_jpegs(url: str) -> bool:
    # FFmpeg takes JPEGs anywhere in a file for a film, and phones put several pictures
    # into one JPEG.
    path = url.removeprefix("file:")
    with open(path, "rb") as file:
        begins = file.read(len(_JPEG)) == _JPEG
    return begins and not path.lower().endswith(_JPEG_NAMES)
