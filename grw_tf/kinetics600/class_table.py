"""Writes the accuracy of each class, as text and as CSV."""

from pathlib import Path

import numpy as np

from grw_tf.common.csv_file import write_csv
from grw_tf.common.text_table import text_table
from grw_tf.evaluation.measures import Measures

_COLUMNS = (
    *("class", "clips", "right", "top_1", "precision", "f1"),
    *("mistaken_most_for", "times"),
)
_SHOWN = 10


def class_rows(measures: Measures) -> list[dict]:
    """Returns a row for each class, in the order of the classes.

    Undefined values are None. `mistaken_most_for` is the class that most of the wrong
    predictions name.
    """
    wrong = measures.confusion - np.diag(np.diag(measures.confusion))
    rows = []
    for index, name in enumerate(measures.class_names):
        other, times = int(wrong[index].argmax()), int(wrong[index].max())
        scores = (measures.recall, measures.precision, measures.f1)
        values = [None if np.isnan(s[index]) else float(s[index]) for s in scores]
        mistaken = measures.class_names[other] if times else ""
        right = int(measures.confusion[index, index])
        clips = int(measures.support[index])
        row = (name, clips, right, *values, mistaken, times)
        rows.append(dict(zip(_COLUMNS, row, strict=True)))
    return rows


def write_class_table(path: Path, measures: Measures) -> None:
    """Writes the rows as CSV, completely or not at all.

    Raises:
        OSError: If the file cannot be written.
    """
    rows = (
        [f"{cell:.6g}" if isinstance(cell, float) else cell for cell in row.values()]
        for row in class_rows(measures)
    )
    write_csv(path, _COLUMNS, rows)


def class_text(measures: Measures, shown: int | None = _SHOWN) -> str:
    """Returns the classes that have clips as text, worst first.

    Args:
        measures: Measures of the model.
        shown: Number of classes to show at either end; None for all.
    """
    rows = [row for row in class_rows(measures) if row["clips"]]
    rows.sort(key=lambda row: (row["top_1"], row["class"]))
    if shown is None or len(rows) <= 2 * shown:
        return _text(rows, f"{len(rows)} classes, worst first")
    return "\n\n".join(
        (
            _text(rows[:shown], f"The {shown} worst of {len(rows)} classes"),
            _text(rows[-shown:], f"The {shown} best"),
        )
    )


def _text(rows, title):
    lines = [("class", "clips", "right", "top-1", "mistaken most for")]
    for row in rows:
        times = row["times"]
        mistaken = f"{row['mistaken_most_for']} ({times})" if times else ""
        counts = row["class"], row["clips"], row["right"]
        lines.append((*counts, f"{row['top_1']:.3f}", mistaken))
    return f"{title}\n{text_table(lines, '<>>><')}"
