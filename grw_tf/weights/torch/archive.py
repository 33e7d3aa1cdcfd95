"""PyTorch files as archives of records."""

import contextlib
import math
import os
import struct
import zipfile
from collections.abc import Iterator
from typing import BinaryIO

from grw_tf.common.error_text import one_line

# PyTorch files from before version 1.6 begin with the pickle of this number.
_OLD_START = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."


@contextlib.contextmanager
def open_archive(path: str | os.PathLike) -> Iterator["TorchArchive"]:
    """Opens a PyTorch file as an archive of records.

    Raises:
        ValueError: If it is damaged or no PyTorch file. The message begins with the
            path, also of a `ValueError` that is raised while the archive is open.
    """
    with open(path, "rb") as file:
        try:
            yield TorchArchive(file)
        except (
            *(EOFError, NotImplementedError, OverflowError, RuntimeError),
            *(UnicodeDecodeError, struct.error, zipfile.BadZipFile),
        ) as error:
            raise ValueError(
                f"{path}: its zip archive is damaged or cut short ({one_line(error)}):"
                " get a sound copy of it."
            ) from None
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None


def is_torch_file(path: str | os.PathLike) -> bool:
    """Says whether a local file begins as PyTorch's files do, whatever its name.

    That is as a zip archive, or as a pickle before version 1.6.
    """
    if not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        return file.read(2) in (b"PK", b"\x80\x02")


class TorchArchive:
    """A checked zip archive of uncompressed records in one folder."""

    def __init__(self, file: BinaryIO):
        start = file.read(len(_OLD_START) + 2)
        self.file_size = file.seek(0, 2)
        if start[2:] == _OLD_START:
            raise ValueError(
                "it has PyTorch's format from before version 1.6: load it and save it"
                " again with a recent PyTorch."
            )
        if not start.startswith(b"PK"):
            raise ValueError("it is not a PyTorch file: those are zip archives.")
        self._zip = zipfile.ZipFile(file)
        self._folder = _found_folder(self._zip.namelist())
        self._members = self._checked_members()
        if self.size("byteorder") is not None:
            order = self.read("byteorder")
            if order != b"little":
                raise ValueError(
                    f"its byte order is {order!r:.40}, not little: save it again on a"
                    " little-endian machine."
                )

    def size(self, record: str) -> int | None:
        """Returns the size of a record in bytes, None if there is no such record."""
        member = self._members.get(f"{self._folder}/{record}")
        return None if member is None else member.file_size

    def read(self, record: str, most_bytes: float = math.inf) -> bytes:
        """Returns a record's bytes, of which there may be no more than `most_bytes`."""
        member = self._members[f"{self._folder}/{record}"]
        if member.file_size > most_bytes:
            raise ValueError(
                f"its {record} has {member.file_size} bytes, more than {most_bytes}."
            )
        return self._zip.read(member)

    def _checked_members(self):
        members = {}
        for member in self._zip.infolist():
            name = f"{member.filename!r:.120}"
            if member.filename in members:
                raise ValueError(f"its zip archive has {name} twice.")
            if ".." in member.filename.split("/"):
                raise ValueError(
                    f"its zip archive has {name}, which is outside the archive."
                )
            if member.flag_bits & 1:
                raise ValueError(f"its record {name} is encrypted.")
            if (
                member.compress_type != zipfile.ZIP_STORED
                or member.compress_size != member.file_size
            ):
                raise ValueError(
                    f"its record {name} is not stored plainly, as PyTorch does: use"
                    " the file as PyTorch wrote it."
                )
            if not 0 <= member.header_offset < self.file_size:
                raise ValueError(f"its record {name} begins outside the file.")
            members[member.filename] = member
        total = sum(member.file_size for member in members.values())
        if total > self.file_size:
            raise ValueError(
                f"its records have {total} bytes, but the whole file {self.file_size}."
            )
        return members


def _found_folder(names):
    found = [name for name in names if name.endswith("/data.pkl")]
    if len(found) != 1:
        raise ValueError(
            f"its zip archive has {len(found)} folders with a data.pkl; a PyTorch file"
            " has one."
        )
    folder = found[0].removesuffix("/data.pkl")
    if f"{folder}/constants.pkl" in names:
        raise ValueError(
            "it is a TorchScript archive: save the model's state_dict() with"
            " torch.save instead."
        )
    return folder
