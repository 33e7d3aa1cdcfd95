"""Counts, names and records the files of an input folder that are not used.

Files that were perhaps meant to be used are faults, and the exit status of the program
is then 1:

- videos in no class folder, or beside split folders;
- videos that a `splits.csv` in the folder does not list;
- archives, damaged or truncated videos, broken links, and unreadable files.

Files that are left out on purpose, or are not videos, are not faults: hidden files and
folders, videos that a table given by --csv does not list, texts, pictures and sound.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

from grw_tf.common.csv_file import write_csv

LEFT_OUT_FILE = "left_out.csv"
_NAMED = 3


@dataclasses.dataclass(frozen=True)
class LeftOut:
    """A file that is not used.

    Attributes:
        name: Path relative to the folder of videos.
        kind: What it is, in the singular, such as "video in no class folder".
        is_fault: Whether it was perhaps meant to be used.
    """

    name: str
    kind: str
    is_fault: bool = False


def summarize(files: Iterable[LeftOut]) -> list[dict]:
    """Returns for each kind the number of files, the first names and `is_fault`.

    Faults come first.
    """
    kinds: dict[tuple[bool, str], list[str]] = {}
    for file in files:
        kinds.setdefault((not file.is_fault, file.kind), []).append(file.name)
    return [
        {
            "kind": kind,
            "files": len(names),
            "first": names[:_NAMED],
            "is_fault": not harmless,
        }
        for (harmless, kind), names in sorted(kinds.items())
    ]


def describe(summary: Sequence[dict], separator: str) -> str:
    """Returns the result of `summarize` as text, "" if nothing is left out."""
    texts = []
    for part in summary:
        more = part["files"] - len(part["first"])
        names = ", ".join(part["first"]) + (f" and {more} more" if more else "")
        texts.append(f"{part['files']} x {part['kind']}: {names}")
    return separator.join(texts)


def write_left_out(folder: Path, files: Sequence[LeftOut]) -> None:
    """Writes all files to `left_out.csv`, or removes it if there are none.

    Raises:
        OSError: If it cannot be written.
    """
    path = folder / LEFT_OUT_FILE
    if not files:
        path.unlink(missing_ok=True)
        return
    rows = ((f.name, f.kind, "yes" if f.is_fault else "") for f in files)
    write_csv(path, ["path", "kind", "fault"], rows)
