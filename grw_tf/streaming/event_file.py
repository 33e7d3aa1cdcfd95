"""Writes events as they are found, as CSV or as lines of JSON."""

import csv
import json
import sys
from typing import TextIO

from grw_tf.streaming.events import Event

STANDARD_OUTPUT = "-"
_HEADER = ("start", "end", "class", "score")


class EventFile:
    """A file of events, written line by line, so that it can be read as it grows.

    Args:
        path: A name that ends in .csv or .jsonl, or "-" for lines of JSON on standard
            output.

    Raises:
        ValueError: For another name.
        OSError: If the file cannot be written.
    """

    def __init__(self, path: str) -> None:
        self._csv = path.lower().endswith(".csv")
        self._file: TextIO
        if path == STANDARD_OUTPUT:
            self._file = sys.stdout
        elif self._csv or path.lower().endswith(".jsonl"):
            self._file = open(path, "w", encoding="utf-8", newline="")  # noqa: SIM115
        else:
            raise ValueError(
                f"--events={path}: name a .csv or .jsonl file, or - for lines of JSON"
                " on standard output."
            )
        if self._csv:
            csv.writer(self._file).writerow(_HEADER)
            self._file.flush()

    def write(self, event: Event) -> None:
        """Adds an event."""
        if self._csv:
            told = event.to_dict()
            csv.writer(self._file).writerow(told[name] for name in _HEADER)
        else:
            line = json.dumps(event.to_dict(), ensure_ascii=False)
            self._file.write(f"{line}\n")
        self._file.flush()

    def close(self) -> None:
        """Closes the file, but not standard output."""
        if self._file is not sys.stdout:
            self._file.close()
