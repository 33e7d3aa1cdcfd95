"""Writes tables as CSV."""

import csv
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from grw_tf.common.replacing import replacing


def write_csv(
    path: str | os.PathLike, header: Sequence[str], rows: Iterable[Sequence]
) -> None:
    """Writes a table completely or not at all.

    The encoding is UTF-8. File names that are not UTF-8 keep their bytes.

    Raises:
        OSError: If the file cannot be written.
    """
    with (
        replacing(Path(path)) as unfinished,
        unfinished.open(
            "w", encoding="utf-8", errors="surrogateescape", newline=""
        ) as file,
    ):
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
