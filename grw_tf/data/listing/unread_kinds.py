"""Recognizes files without a readable video that were perhaps meant to be used.

They are archives that may hold videos, truncated videos, and broken links.
"""

import os

ARCHIVE = "archive, which may hold videos"
DAMAGED = "video or sound file that is damaged or cut short"
BROKEN_LINK = "link that leads nowhere"
_ARCHIVES = (
    *(".zip", ".tar", ".tgz", ".tbz", ".tbz2", ".txz", ".gz", ".bz2", ".xz", ".zst"),
    *(".7z", ".rar"),
)
# How MP4 and MOV files begin, after four bytes.
_ATOMS = (b"ftyp", b"moov", b"mdat", b"wide", b"skip")
# Pictures use the same container.
_PICTURES = (b"heic", b"heix", b"heif", b"mif1", b"msf1", b"avif", b"avis")
# How Matroska, WebM, FLV, ASF, WMV, Ogg, MPEG program streams and RealMedia begin.
_BEGINNINGS = (
    *(b"\x1a\x45\xdf\xa3", b"FLV\x01", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", b"OggS"),
    *(b"\x00\x00\x01\xba", b".RMF"),
)
_TS_PACKET = 188


def unread_kind(path: str | os.PathLike) -> str | None:
    """Returns `ARCHIVE`, `DAMAGED`, `BROKEN_LINK` or None.

    Args:
        path: A file in which FFmpeg finds no video, sound or picture.

    Raises:
        OSError: If the file cannot be read.
    """
    path = os.fspath(path)
    if not os.path.exists(path):
        return BROKEN_LINK if os.path.islink(path) else None
    if path.lower().endswith(_ARCHIVES):
        return ARCHIVE
    # Opening a pipe would wait for its writer.
    if not os.path.isfile(path):
        return None
    with open(path, "rb") as file:
        head = file.read(3 * _TS_PACKET)
    return DAMAGED if _begins_as_video(head) else None


def _begins_as_video(head: bytes) -> bool:
    if head[4:8] in _ATOMS:
        return head[8:12] not in _PICTURES
    riff = head.startswith(b"RIFF") and head[8:12] == b"AVI "
    packets = head[::_TS_PACKET] == b"G" * 3
    return riff or packets or head.startswith(_BEGINNINGS)
