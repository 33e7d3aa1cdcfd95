"""Unpacks downloaded archives, which may be damaged or hostile."""

import gzip
import io
import os
import pathlib
import shutil
import tarfile
import zlib

_MOST_BYTES = 2 * 2**30
_MOST_MEMBERS = 1000
_CHUNK = 2**20


def extract(archive: str | os.PathLike, folder: str | os.PathLike) -> None:
    """Unpacks a .tar.gz of plain files into a new folder, completely or not at all.

    Only one process at a time may unpack into a folder.

    Args:
        archive: The .tar.gz.
        folder: Folder to create. Until it is complete, it is `<folder>.unfinished`.

    Raises:
        ValueError: If the archive is damaged or too large, or holds anything except
            files and folders within it.
    """
    folder = pathlib.Path(folder)
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        with (
            _BoundedGzipFile(archive) as stream,
            tarfile.open(fileobj=stream, mode="r:") as tar,
        ):
            members = _checked_members(tar)
            # The checksum is at the end, which tarfile does not read.
            while stream.read(_CHUNK):
                pass
            unfinished.mkdir()
            # Pythons before 3.11.4 have no such filter.
            tar.extraction_filter = getattr(tarfile, "data_filter", None)
            tar.extractall(unfinished, members)
        unfinished.rename(folder)
    except (
        *(EOFError, OverflowError, RecursionError, ValueError),
        *(gzip.BadGzipFile, tarfile.TarError, zlib.error),
    ) as error:
        raise ValueError(
            f"{archive} cannot be unpacked ({_reason(archive, error)}): get a sound"
            " copy of it."
        ) from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _reason(archive, error):
    """Returns why an archive cannot be unpacked."""
    with open(archive, "rb") as file:
        start = file.read(_CHUNK).lstrip()
    return "it is a web page, such as one to sign in" if start[:1] == b"<" else error


class _BoundedGzipFile(gzip.GzipFile):
    """Refuses to unpack more than a limit, for files and for headers."""

    def read(self, size=-1):
        if not 0 <= size <= _CHUNK:
            raise ValueError(f"a header of {size} bytes")
        data = super().read(size)
        self._check(self.tell())
        return data

    def seek(self, offset, whence=io.SEEK_SET):
        self._check(offset)
        return super().seek(offset, whence)

    def _check(self, position):
        if position > _MOST_BYTES:
            raise ValueError(f"it holds more than {_MOST_BYTES} bytes")


def _checked_members(tar):
    members, seen, folders = [], set(), set()
    for member in tar:
        plain = member.isdir() or (member.isreg() and not member.issparse())
        path = checked_path(member.name, plain and member.size >= 0)
        twice = path in seen and not (member.isdir() and path in folders)
        if twice or not folders.issuperset(seen.intersection(path.parents)):
            raise ValueError(f"it holds {member.name!r} twice, or within a file")
        if any(len(os.fsencode(part)) > 255 for part in path.parts):
            raise ValueError(f"it holds a name too long, {member.name!r:.80}")
        seen.add(path)
        if member.isdir():
            folders.add(path)
        members.append(member)
        if len(members) > _MOST_MEMBERS:
            raise ValueError(f"it holds more than {_MOST_MEMBERS} files")
    if not any(member.isreg() for member in members):
        raise ValueError("it holds no files")
    return members


def checked_path(name: str, is_plain: bool) -> pathlib.PurePosixPath:
    """Returns a member's path, relative to its archive.

    Raises:
        ValueError: If it is no plain file or folder, or would be written outside.
    """
    path = pathlib.PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"it holds {name!r}, which lies outside")
    if not is_plain:
        raise ValueError(f"it holds {name!r}, not a plain file or folder")
    return path
