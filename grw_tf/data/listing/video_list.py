"""Lists videos with their classes and splits, from folders or tables.

Files with the usual name of a video are not opened: they may be missing or broken.
"""

import dataclasses
import logging
import math
import os
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

from grw_tf.common.class_names import normal_name, sort_class_names, warn_of_alike
from grw_tf.data.listing.file_kinds import is_video
from grw_tf.data.listing.folder_files import FolderFiles, find_files
from grw_tf.data.listing.folder_layout import Layout, class_folders, lay_out
from grw_tf.data.listing.left_out import LeftOut, describe, summarize
from grw_tf.data.listing.listed_paths import identity, path_on_disk
from grw_tf.data.listing.split_names import SPLITS, canonical_split
from grw_tf.data.listing.table_rows import read_rows

EXPECTED = "expected class folders of videos, of any kind that FFmpeg reads"
SPLITS_TABLE = "splits.csv"
_SHOWN_LINES = 50


@dataclasses.dataclass(frozen=True)
class Video:
    """A video, or a segment of one, not yet read.

    Attributes:
        path: The file.
        name: Path as listed, relative to the folder of videos.
        label: Name of the class, in composed form (`normal_name`), or the text that
            lists several.
        split: "train", "validation", "test", another split of a table, or "" if none
            is given.
        group: Videos of one group belong in one split. By default the name.
        start: Seconds after the first frame at which it begins.
        end: Seconds after the first frame at which it ends; None is the end of the
            file.
        listed: Names of its classes, if videos have any number of them
            (`grw_tf.data.listing.label_lists`); None if each has one.
    """

    path: Path
    name: str
    label: str
    split: str
    group: str
    start: float = 0.0
    end: float | None = None
    listed: tuple[str, ...] | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of its classes: `listed`, or else its only class."""
        return (self.label,) if self.listed is None else self.listed


@dataclasses.dataclass(frozen=True)
class Listing:
    """Videos, and the files of their folder that are not used."""

    videos: list[Video]
    left_out: list[LeftOut]


def list_folder(directory: str | os.PathLike) -> list[Video]:
    """Lists videos as `read_folder` does, and warns about files left out."""
    listing = read_folder(directory)
    warn_of_left_out(directory, listing.left_out)
    return listing.videos


def read_folder(directory: str | os.PathLike) -> Listing:
    """Lists the videos of a folder of class folders, and the other files in it.

    `file_kind` decides which files are videos, also in folders within class folders.
    The splits come from the first of these that exists: split folders of class folders,
    as in `lay_out`; the columns path, label and split of a `splits.csv` beside the
    class folders, which then lists the whole data set; split folders within class
    folders. Otherwise no splits are given. A class folder without videos is left out,
    with a warning.

    Raises:
        ValueError: If the folder does not exist or has no videos, or as `list_table`.
        OSError: If a folder cannot be read.
    """
    root, files = _find(directory)
    layout = lay_out(files.videos)
    table = root / SPLITS_TABLE
    left_out = list(files.others)
    if table.is_file() and not layout.split_folders:
        videos = list_table(table, required=("path", "label", "split"))
        left_out = [file for file in left_out if file.name != SPLITS_TABLE]
        kind = f"video that {SPLITS_TABLE} does not list"
        left_out += _unlisted(root, files, videos, kind, is_fault=True)
    else:
        videos = _placed(root, files, layout)
        left_out += _without_class(layout)
    return Listing(videos, left_out)


def list_unlisted(
    directory: str | os.PathLike, videos: Sequence[Video]
) -> list[LeftOut]:
    """Lists the videos of a folder that a table does not list.

    Raises:
        OSError: If a folder cannot be read.
    """
    kind = "video that the table does not list"
    root = Path(directory)
    return _unlisted(root, find_files(root), videos, kind, is_fault=False)


def read_class_folders(directory: str | os.PathLike) -> tuple[Listing, list[str]]:
    """Lists the videos of a folder of class folders, whatever the folders' names.

    As for torchvision's `find_classes`, all folders are classes, also those without
    videos or with the name of a split. They are sorted by name, or by value if all are
    numbers. Hidden folders are left out.

    Returns:
        The videos and files left out, and the names of the folders.

    Raises:
        ValueError: If the folder does not exist or has no videos.
        OSError: If a folder cannot be read.
    """
    root, files = _find(directory)
    layout = class_folders(files.videos)
    listing = Listing(
        _placed(root, files, layout), [*files.others, *_without_class(layout)]
    )
    folders = {normal_name(name) for name in files.folders if "/" not in name}
    return listing, list(sort_class_names(folders))


def list_table(
    table: str | os.PathLike,
    directory: str | os.PathLike | None = None,
    required: Collection[str] = ("path", "label"),
    labels_may_lack: bool = False,
) -> list[Video]:
    """Lists the videos of a CSV file, as read by `read_rows`.

    The columns are path, label and optionally split, start and end (seconds), and
    group. Relative paths may have the slashes of Windows. Alternatively, the columns
    are those of Kinetics' annotations: label, youtube_id, time_start, time_end and
    split. The clips are then files `<youtube_id>_<time_start>_<time_end>` anywhere in
    the folder, already cut, and the clips of one YouTube video are a group.

    Args:
        table: The file, in UTF-8.
        directory: Folder that paths are relative to. By default that of the file.
        required: Columns that must be present.
        labels_may_lack: Whether cells of the column label may be empty.

    Raises:
        ValueError: If a column or cell is missing or invalid, a video is listed twice,
            or there are no videos.
        OSError: If the file cannot be read.
    """
    table = Path(table)
    root = Path(directory or table.parent)
    if not root.is_dir():
        raise ValueError(f"{root} is not a folder: expected videos listed in {table}.")
    found: list[Video] = []
    lines: dict[tuple, int] = {}
    repeated: dict[int, str] = {}
    clips = None
    for line, row in read_rows(table, required):
        try:
            label = normal_name(row["label"]) if labels_may_lack else _label(row)
            if "path" in row:
                video = _listed(row, root, label)
            else:
                clips = _kinetics_clips(root) if clips is None else clips
                video = _kinetics(row, root, label, clips)
        except ValueError as error:
            raise ValueError(f"{table}, line {line}: {error}") from None
        key = identity(video.path), video.start, video.end
        if key in lines:
            repeated[line] = f"{video.name} was listed in line {lines[key]} already"
        lines.setdefault(key, line)
        found.append(video)
    if repeated:
        (line, told), *others = repeated.items()
        numbers = ", ".join(str(line) for line, _ in others[:_SHOWN_LINES])
        more = f" (of {len(repeated)} such lines; the next: {numbers})"
        raise ValueError(
            f"{table}, line {line}: {told}{more if others else ''}: keep one of them."
        )
    if not found:
        raise ValueError(f"{table} lists no videos: expected a line for each.")
    warn_of_alike((video.label for video in found), str(table))
    return found


def _find(directory) -> tuple[Path, FolderFiles]:
    root = Path(directory)
    if not root.is_dir():
        raise ValueError(f"{root} is not a folder: {EXPECTED}.")
    return root, find_files(root)


def _unlisted(root, files, videos, kind, is_fault) -> list[LeftOut]:
    listed = {identity(video.path) for video in videos}
    return [
        LeftOut(name, kind, is_fault)
        for name in files.videos
        if identity(root / name) not in listed
    ]


def _placed(root: Path, files: FolderFiles, layout: Layout) -> list[Video]:
    """Returns the videos by split, class and name, and warns about empty folders."""
    videos = [
        Video(root / name, name, normal_name(label), split, group=name)
        for name, (label, split) in layout.places.items()
    ]
    if not videos:
        found = [*_without_class(layout), *files.others]
        other = describe(summarize(found), "; ")
        raise ValueError(
            f"{root} has no videos: {EXPECTED}"
            + (f"; it has {other}." if other else ".")
        )
    filled = {
        str(folder) for name in files.videos for folder in PurePosixPath(name).parents
    }
    for folder in files.folders:
        parent, _, _ = folder.rpartition("/")
        of_class = parent in layout.split_folders or not parent
        if of_class and folder not in filled:
            logging.warning("%s is left out: it has no videos.", root / folder)
    for warning in layout.warnings:
        logging.warning("%s: %s.", root, warning)
    warn_of_alike((video.label for video in videos), str(root))
    order = {split: place for place, split in enumerate(("", *SPLITS))}
    return sorted(videos, key=lambda v: (order[v.split], v.label, v.name.split("/")))


def _without_class(layout: Layout) -> list[LeftOut]:
    return [
        LeftOut(name, reason, is_fault=True) for name, reason in layout.left_out.items()
    ]


def warn_of_left_out(root: str | os.PathLike, left_out: list[LeftOut]) -> None:
    """Warns about the files of a folder that are left out, if there are any."""
    if left_out:
        summary = describe(summarize(left_out), "\n  ")
        logging.warning("Left out of %s:\n  %s", root, summary)


def _listed(row: dict[str, str], root: Path, label: str) -> Video:
    name = path_on_disk(_cell(row, "path"), root)
    start = _seconds(row, "start") if row.get("start") else 0.0
    end = _seconds(row, "end") if row.get("end") else None
    if end is not None and end <= start:
        raise ValueError(f"end is {end:g} s: it must be after the start, {start:g} s.")
    group = row.get("group") or os.path.normpath(name)
    return Video(root / name, name, label, _split(row), group, start, end)


def _kinetics(
    row: dict[str, str], root: Path, label: str, clips: dict[tuple, Path]
) -> Video:
    group = _cell(row, "youtube_id")
    start, end = (round(_seconds(row, name)) for name in ("time_start", "time_end"))
    path = clips.get((group, start), root / f"{group}_{start:06d}_{end:06d}.mp4")
    name = path.relative_to(root).as_posix()
    return Video(path, name, label, _split(row), group)


def _kinetics_clips(root: Path) -> dict[tuple[str, int], Path]:
    """Returns the clips by YouTube ID and start in seconds."""

    def fail(error):
        raise error

    found: dict[tuple[str, int], Path] = {}
    for folder, _, names in os.walk(root, onerror=fail):
        for name in names:
            match name.rpartition(".")[0].rsplit("_", 2):
                case [video, start, end] if start.isdecimal() and end.isdecimal():
                    path = Path(folder, name)
                    if name.startswith(".") or not is_video(path):
                        continue
                    other = found.setdefault((video, int(start)), path)
                    if other != path:
                        raise ValueError(f"{path} is there twice, {other} too.")
    return found


def _cell(row: dict[str, str], column: str) -> str:
    if not row[column]:
        raise ValueError(f"the cell of column {column} is empty.")
    return row[column]


def _label(row: dict[str, str]) -> str:
    return normal_name(_cell(row, "label"))


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
    return canonical_split(split) or split
