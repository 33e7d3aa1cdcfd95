"""Lists videos with their classes and splits, from folders or tables.

Nothing is read but names: a listed video may be missing or broken.
"""

import csv
import dataclasses
import logging
import math
import os
from collections.abc import Collection, Iterator
from pathlib import Path

SUFFIXES = (
    *(".mp4", ".avi", ".mov", ".gif", ".webm", ".mkv", ".m4v"),
    *(".mpg", ".mpeg", ".ts", ".wmv", ".flv", ".3gp", ".ogv"),
)
EXPECTED = f"expected class folders of videos ({', '.join(SUFFIXES)})"
# Kinetics' annotations say validate, its archives and others val.
SPLIT_NAMES = {
    "train": "train",
    **dict.fromkeys(("val", "valid", "validate", "validation"), "validation"),
    "test": "test",
}
_KINETICS = ("label", "youtube_id", "time_start", "time_end")


@dataclasses.dataclass(frozen=True)
class Video:
    """A video, or a segment of one, not yet read.

    Attributes:
        path: The file.
        name: The path as listed, relative to the folder of videos.
        label: Name of the class.
        split: "train", "validation", "test", another that a table gives, or "" if
            none is given.
        group: Videos of one group belong in one split. By default the name.
        start: Seconds after the first frame at which it begins.
        end: Seconds after the first frame at which it ends; None is the file's end.
    """

    path: Path
    name: str
    label: str
    split: str
    group: str
    start: float = 0.0
    end: float | None = None


def list_folder(directory: str | os.PathLike) -> list[Video]:
    """Lists the videos of a folder of class folders.

    The splits are, in this order of preference: folders named as in `SPLIT_NAMES`,
    each holding class folders; the columns path, label and split of a `splits.csv`
    beside the class folders, which then alone says what the set holds; or not given.
    A class folder without videos is left out with a warning.

    Raises:
        ValueError: If the folder is not there or has no videos, or as `list_table`.
        OSError: If a folder cannot be read.
    """
    root = Path(directory)
    if not root.is_dir():
        raise ValueError(f"{root} is not a folder: {EXPECTED}.")
    parts = [f for f in _folders(root) if f.name in SPLIT_NAMES and _folders(f)]
    if parts:
        found = [
            video
            for part in sorted(parts, key=lambda part: _ORDER[SPLIT_NAMES[part.name]])
            for video in _class_videos(root, part, SPLIT_NAMES[part.name])
        ]
    elif (root / "splits.csv").is_file():
        found = list_table(root / "splits.csv", required=("path", "label", "split"))
    else:
        found = _class_videos(root, root, "")
    if not found:
        raise ValueError(f"{root} has no videos: {EXPECTED}.")
    return found


def list_class_folders(directory: str | os.PathLike) -> tuple[list[Video], list[str]]:
    """Lists the videos of a folder of class folders, and nothing but them.

    As torchvision's `find_classes` lists them: classes are all folders, also those
    without videos, by name; of each, the videos directly in it, by name. Hidden ones
    are left out, and folders within class folders, which torchvision looks into: they
    would make classes of splits.

    Returns:
        The videos, and the names of the folders.

    Raises:
        ValueError: If the folder is not there or has no videos.
        OSError: If a folder cannot be read.
    """
    root = Path(directory)
    if not root.is_dir():
        raise ValueError(f"{root} is not a folder: {EXPECTED}.")
    found = _class_videos(root, root, "")
    if not found:
        raise ValueError(f"{root} has no videos: {EXPECTED}.")
    return found, [folder.name for folder in _folders(root)]


def list_table(
    table: str | os.PathLike,
    directory: str | os.PathLike | None = None,
    required: Collection[str] = ("path", "label"),
) -> list[Video]:
    """Lists the videos of a CSV file.

    Its columns are path and label, and, where wanted, split, start and end (seconds),
    and group; others are ignored. Or they are those of Kinetics' annotations, label,
    youtube_id, time_start, time_end and split: then the clips, cut already, are the
    files `<youtube_id>_<time_start>_<time_end>` anywhere in the folder, and all of
    one YouTube video are a group.

    Args:
        table: The file, in UTF-8.
        directory: What the paths are relative to; by default the file's folder.
        required: Columns that must be there.

    Raises:
        ValueError: If a column or a cell is missing or makes no sense, if a video is
            listed twice, or if there are none.
        OSError: If the file cannot be read.
    """
    table = Path(table)
    root = Path(directory or table.parent)
    if not root.is_dir():
        raise ValueError(f"{root} is not a folder: expected videos listed in {table}.")
    found, lines, clips = [], {}, None
    for line, row in _rows(table, required):
        try:
            if "path" in row:
                video = _listed(row, root)
            else:
                clips = _kinetics_clips(root) if clips is None else clips
                video = _kinetics(row, root, clips)
        except ValueError as error:
            raise ValueError(f"{table}, line {line}: {error}") from None
        key = os.path.normpath(video.name), video.start, video.end
        if key in lines:
            raise ValueError(
                f"{table}, line {line}: {video.name} was listed in line {lines[key]}"
                " already: keep one of them."
            )
        lines[key] = line
        found.append(video)
    if not found:
        raise ValueError(f"{table} lists no videos: expected a line for each.")
    return found


_ORDER = {split: place for place, split in enumerate(("train", "validation", "test"))}


def _folders(root: Path) -> list[Path]:
    return sorted(
        path
        for path in root.iterdir()
        if path.is_dir() and not path.name.startswith(".")
    )


def is_video(name: str) -> bool:
    """Says whether a file is named as a video, and not hidden."""
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def _class_videos(root: Path, parent: Path, split: str) -> list[Video]:
    found = []
    for folder in _folders(parent):
        paths = sorted(path for path in folder.iterdir() if is_video(path.name))
        if not paths:
            logging.warning("%s is left out: it has no videos.", folder)
        for path in paths:
            name = path.relative_to(root).as_posix()
            found.append(Video(path, name, folder.name, split, group=name))
    return found


def _rows(table: Path, required) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields line numbers and rows, without the space around cells."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as lines:
            rows = csv.DictReader(lines)
            columns = rows.fieldnames or []
            if "youtube_id" in columns and "path" not in columns:
                required = _KINETICS
            lacking = sorted(set(required) - set(columns))
            if lacking:
                raise ValueError(f"{table} lacks the columns {lacking}: has {columns}.")
            for row in rows:
                if None in row:
                    raise ValueError(
                        f"{table}, line {rows.line_num}: has more cells than columns:"
                        " put quotes around cells with commas."
                    )
                yield rows.line_num, {k: (v or "").strip() for k, v in row.items()}
    except UnicodeDecodeError:
        raise ValueError(f"{table} is not text in UTF-8: save it as such.") from None
    except csv.Error as error:
        raise ValueError(f"{table} is not a CSV file: {error}.") from None


def _listed(row: dict[str, str], root: Path) -> Video:
    name = _cell(row, "path")
    start = _seconds(row, "start") if row.get("start") else 0.0
    end = _seconds(row, "end") if row.get("end") else None
    if end is not None and end <= start:
        raise ValueError(f"end is {end:g} s: it must be after the start, {start:g} s.")
    group = row.get("group") or os.path.normpath(name)
    return Video(root / name, name, _cell(row, "label"), _split(row), group, start, end)


def _kinetics(row: dict[str, str], root: Path, clips: dict[tuple, Path]) -> Video:
    group = _cell(row, "youtube_id")
    start, end = (round(_seconds(row, name)) for name in ("time_start", "time_end"))
    path = clips.get((group, start), root / f"{group}_{start:06d}_{end:06d}.mp4")
    name = path.relative_to(root).as_posix()
    return Video(path, name, _cell(row, "label"), _split(row), group)


def _kinetics_clips(root: Path) -> dict[tuple[str, int], Path]:
    """Returns the clips by YouTube id and start in seconds."""

    def fail(error):
        raise error

    found = {}
    for folder, _, names in os.walk(root, onerror=fail):
        for name in filter(is_video, names):
            match name.rpartition(".")[0].rsplit("_", 2):
                case [video, start, end] if start.isdecimal() and end.isdecimal():
                    path = Path(folder, name)
                    other = found.setdefault((video, int(start)), path)
                    if other != path:
                        raise ValueError(f"{path} is there twice, {other} too.")
    return found


def _cell(row: dict[str, str], column: str) -> str:
    if not row[column]:
        raise ValueError(f"the cell of column {column} is empty.")
    return row[column]


def _seconds(row: dict[str, str], column: str) -> float:
    try:
        seconds = float(row[column])
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < math.inf:
        raise ValueError(f"{column} is {row[column]!r}: expected seconds, 0 or more.")
    return seconds


def _split(row: dict[str, str]) -> str:
    split = row.get("split", "")
    return SPLIT_NAMES.get(split, split)
