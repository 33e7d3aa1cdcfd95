"""Reads tables of videos by their headers, whatever the case and the separators."""

import collections
import csv
import logging
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from grw_tf.common.suggestions import nearest_name

COLUMNS = ("path", "label", "split", "start", "end", "group")
KINETICS_COLUMNS = ("label", "youtube_id", "time_start", "time_end", "split")
_KINETICS_REQUIRED = ("label", "youtube_id", "time_start", "time_end")
# The first is assumed if the header has a single column.
_SEPARATORS = ",;\t"
# Other common names of the column split.
_SPLIT_NAMES = {"set", "subset", "partition", "fold", "phase", "usage", "dataset"}
_SIMILAR = 0.75


def read_rows(
    table: Path, required: Collection[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the line number and the cells of each row, by column.

    Cells are separated as in the header: by commas, semicolons or tabs. The case of
    column names and the space around cells do not matter. Ignored columns whose names
    resemble missing ones cause a warning.

    Args:
        table: The file, in UTF-8.
        required: Columns that must be present, unless the table has the columns of
            Kinetics' annotations.

    Raises:
        ValueError: If columns are missing or repeated, a row has more cells than the
            header, or the file is not such a table.
        OSError: If the file cannot be read.
    """
    try:
        with table.open(newline="", encoding="utf-8-sig") as lines:
            header = lines.readline()
            separator = max(_SEPARATORS, key=lambda s: _known_columns(header, s))
            lines.seek(0)
            rows = csv.reader(lines, delimiter=separator)
            columns = [_normal(name) for name in next(rows, [])]
            _check_columns(table, columns, required)
            for cells in filter(None, rows):
                if len(cells) > len(columns):
                    raise ValueError(
                        f"{table}, line {rows.line_num}: has more cells than columns:"
                        " put quotes around cells with commas."
                    )
                cells += [""] * (len(columns) - len(cells))
                yield (
                    rows.line_num,
                    dict(zip(columns, map(str.strip, cells), strict=True)),
                )
    except UnicodeDecodeError:
        raise ValueError(f"{table} is not text in UTF-8: save it as such.") from None
    except csv.Error as error:
        raise ValueError(f"{table} is not a CSV file: {error}.") from None


def _normal(column: str) -> str:
    return column.strip().casefold()


def _known_columns(header: str, separator: str) -> int:
    names = {_normal(name.strip().strip('"')) for name in header.split(separator)}
    return len(names & {*COLUMNS, *KINETICS_COLUMNS})


def _check_columns(table: Path, columns: list[str], required: Collection[str]) -> None:
    twice = [name for name, count in collections.Counter(columns).items() if count > 1]
    for name in filter(None, twice):
        raise ValueError(f"{table} has the column {name!r:.80} twice: rename one.")
    known: tuple[str, ...] = COLUMNS
    if "youtube_id" in columns and "path" not in columns:
        known, required = KINETICS_COLUMNS, _KINETICS_REQUIRED
    lacking = sorted(set(required) - set(columns))
    if lacking:
        hint = ", separated by other than commas" if len(columns) == 1 else ""
        raise ValueError(f"{table} lacks the columns {lacking}: has {columns}{hint}.")
    absent = [name for name in known if name not in columns]
    for column in columns:
        meant = None if column in known else _meant(column, absent)
        if meant:
            logging.warning(
                "%s: the column %r is ignored. If it gives the %s, call it %r.",
                table,
                column,
                meant,
                meant,
            )


def _meant(column: str, absent: Collection[str]) -> str | None:
    """Returns the absent column that a column with another name perhaps stands for."""
    words = re.split(r"[\W_]+", column)
    if "split" in absent and _SPLIT_NAMES & {column, *words}:
        return "split"
    within = [name for name in absent if name in words]
    return within[0] if within else nearest_name(column, absent, _SIMILAR)
