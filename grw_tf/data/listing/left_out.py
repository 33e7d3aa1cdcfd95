"""Files of an input folder that are not taken: counted, named and written down.

All of them are named. Those that were perhaps meant to be taken are faults, for which
the program's exit status is 1:

- videos in no class folder, or beside split folders;
- videos that a `splits.csv` in the folder does not list;
- archives, videos damaged or cut short, links that lead nowhere, unreadable files.

No faults are what somebody leaves out on purpose, or what is no video: hidden files and
folders, videos that a table given by --csv does not list, texts, pictures and sound.
"""

import csv
import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

from grw_tf.common.replacing import replacing

LEFT_OUT_FILE = "left_out.csv"
_NAMED = 3


@dataclasses.dataclass(frozen=True)
class LeftOut:
    """A file that is not taken.

    Attributes:
        name: Its path, relative to the folder of videos.
        kind: What it is, in the singular, as "video in no class folder".
        is_fault: Whether it was perhaps meant to be taken, so that somebody must look.
    """

    name: str
    kind: str
    is_fault: bool = False


def summarize(files: Iterable[LeftOut]) -> list[dict]:
    """Returns of each kind the number of files, the first few names and `is_fault`.

    Faults come first.
    """
    kinds = {}
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
    """Returns the kinds of `summarize` as text, "" if nothing is left out."""
    texts = []
    for part in summary:
        more = part["files"] - len(part["first"])
        names = ", ".join(part["first"]) + (f" and {more} more" if more else "")
        texts.append(f"{part['files']} x {part['kind']}: {names}")
    return separator.join(texts)


def write_left_out(folder: Path, files: Sequence[LeftOut]) -> None:
    """Writes the names of all files to `left_out.csv`, or removes it if there are none.

    Raises:
        OSError: If it cannot be written.
    """
    path = folder / LEFT_OUT_FILE
    if not files:
        path.unlink(missing_ok=True)
        return
    with replacing(path) as unfinished:
        # Names need not be UTF-8.
        with unfinished.open(
            "w", newline="", encoding="utf-8", errors="surrogateescape"
        ) as table:
            rows = csv.writer(table)
            rows.writerow(["path", "kind", "fault"])
            rows.writerows((f.name, f.kind, "yes" if f.is_fault else "") for f in files)
