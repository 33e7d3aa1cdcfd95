"""Unpacks archives of class folders of videos, once and only within their folder."""

import contextlib
import dataclasses
import json
import logging
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import tqdm

from grw_tf.common.file_lock import locked
from grw_tf.common.json_file import write_json
from grw_tf.data.listing.file_kinds import VIDEO, file_kind
from grw_tf.data.listing.left_out import LeftOut, describe, summarize
from grw_tf.weights.unpacking import checked_path

SUFFIXES = (".tar", ".tar.gz", ".tgz", ".zip")
_RECORD = ".unpacked.json"
_CHUNK = 2**20


@dataclasses.dataclass(frozen=True)
class _Member:
    """A member of an archive: a file, a folder, or else a link or device."""

    name: str
    size: int
    is_file: bool
    is_folder: bool
    source: object


def is_archive(path: str | os.PathLike) -> bool:
    """Returns whether a path has the name of an archive that can be unpacked."""
    return os.fspath(path).lower().endswith(SUFFIXES)


def unpack_clips(
    archive: str | os.PathLike, folder: str | os.PathLike | None = None
) -> Path:
    """Unpacks the videos of an archive, unless they are unpacked already.

    After a kill, the next call continues from there. While another process unpacks the
    archive, it waits. The class folders may lie within other folders. If several
    folders hold class folders, such as splits, the one called `test` is used.

    Args:
        archive: A .tar, .tar.gz, .tgz or .zip of class folders of videos.
        folder: Folder for the videos. By default it is beside the archive, with its
            name without the suffix.

    Returns:
        The folder that holds the class folders.

    Raises:
        ValueError: If the archive is damaged, holds links, names outside the folder or
            no class folders, or if the folder exists and is not of this archive.
        OSError: If something cannot be read or written.
    """
    archive = Path(archive)
    ending = max((s for s in SUFFIXES if archive.name.lower().endswith(s)), key=len)
    folder = Path(folder or archive.with_name(archive.name[: -len(ending)]))
    record = {"archive": archive.name, "bytes": archive.stat().st_size}
    if not folder.exists():
        _check_writable(folder.parent)
        # Shards on one disk may start at the same time.
        with locked(folder.with_name(f"{folder.name}.lock")):
            if not folder.exists():
                _unpack_whole(archive, folder, record)
    _check_record(folder, record, archive)
    return _class_root(folder)


def _check_writable(parent):
    try:
        parent.mkdir(parents=True, exist_ok=True)
        writable = os.access(parent, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        raise OSError(
            f"{parent} cannot be written to, so nothing can be unpacked there: give"
            " another --unpack_dir."
        )


def _unpack_whole(archive, folder, record):
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    unfinished.mkdir(exist_ok=True)
    _check_record(unfinished, record, archive, new=True)
    _unpack(archive, unfinished)
    _remove_others(unfinished)
    _class_root(unfinished)
    unfinished.rename(folder)


def _check_record(folder, record, archive, new=False):
    path = folder / _RECORD
    if new and not path.exists():
        write_json(path, record)
    if not path.exists() or json.loads(path.read_text()) != record:
        raise ValueError(
            f"{folder} exists and was not unpacked from this {archive}: give the folder"
            " itself as --clips, another --unpack_dir, or remove it."
        )


def _unpack(archive, folder):
    seen = set()
    try:
        with (
            archive.open("rb") as file,
            tqdm.tqdm(
                desc=f"Unpacking {archive.name}",
                total=archive.stat().st_size,
                unit="B",
                unit_scale=True,
            ) as bar,
            contextlib.closing(_members(archive, file)) as members,
        ):
            for member in members:
                path = checked_path(member.name, member.is_file or member.is_folder)
                if path in seen and not member.is_folder:
                    raise ValueError(f"it holds {member.name!r} twice")
                seen.add(path)
                if not _is_hidden(path):
                    _write(member, folder / path)
                bar.update(max(0, file.tell() - bar.n))
    except (
        EOFError,
        # Raised for encrypted zip files.
        RuntimeError,
        ValueError,
        tarfile.TarError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise ValueError(
            f"{archive} cannot be unpacked ({error}): get a sound copy of it."
        ) from None


def _members(archive: Path, file: BinaryIO) -> Iterator[_Member]:
    if archive.name.lower().endswith(".zip"):
        with zipfile.ZipFile(file) as opened:
            for info in opened.infolist():
                # The high bits are the Unix file type, if any.
                kind = info.external_attr >> 28
                yield _Member(
                    info.filename,
                    info.file_size,
                    not info.is_dir() and kind in (0, 8),
                    info.is_dir(),
                    lambda info=info: opened.open(info),
                )
        return
    with tarfile.open(fileobj=file) as opened:
        for member in opened:
            plain = member.isreg() and not member.issparse()
            yield _Member(
                member.name,
                member.size,
                plain,
                member.isdir(),
                lambda member=member: opened.extractfile(member),
            )
        # The checksum is at the end, which tarfile does not read.
        while opened.fileobj.read(_CHUNK):
            pass


def _is_hidden(path):
    # Created by macOS and by editors.
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def _write(member, path):
    if member.is_folder:
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file() and path.stat().st_size == member.size:
        return
    with member.source() as source, path.open("wb") as target:
        shutil.copyfileobj(source, target, _CHUNK)
    if path.stat().st_size != member.size:
        raise ValueError(f"{member.name!r} ends before its {member.size} bytes")


def _remove_others(folder):
    """Removes files that are not videos, which shows only after unpacking."""
    others = []
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            kind = VIDEO if path == folder / _RECORD else file_kind(path)
            if kind != VIDEO:
                others.append(LeftOut(path.relative_to(folder).as_posix(), kind))
                path.unlink()
    if others:
        summary = describe(summarize(others), "\n  ")
        logging.warning("Left out of %s:\n  %s", folder, summary)


def _class_root(folder):
    roots = {
        Path(parent).parent
        for parent, _, names in os.walk(folder)
        if any(not name.startswith(".") for name in names)
    }
    # Videos beside the class folders have no class. Class folders may hold folders.
    roots = {root for root in roots if root.is_relative_to(folder)}
    roots = sorted(root for root in roots if roots.isdisjoint(root.parents))
    chosen = roots if len(roots) == 1 else [r for r in roots if r.name == "test"]
    if len(chosen) != 1:
        found = ", ".join(root.relative_to(folder).as_posix() for root in roots[:5])
        raise ValueError(
            f"{folder} holds {len(roots)} folders of class folders ({found or 'none'}):"
            " expected one, or one called test; give the folder itself as --clips."
        )
    return chosen[0]
