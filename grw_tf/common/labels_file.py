"""The file with the class names of a model or data set, one per line."""

import os
from collections.abc import Sequence
from typing import Any

from grw_tf.common.class_names import normal_names
from grw_tf.common.stored_file import read_bytes

LABELS_FILE = "labels.txt"
LABELS_BETWEEN = " | "
"""What lies between the names of a list of classes in one cell of a table."""


def read_labels(path: str | os.PathLike) -> tuple[str, ...]:
    """Returns the class names in composed form, in the order of their indices.

    Args:
        path: A UTF-8 text file with a name per line, local or in cloud storage.

    Raises:
        ValueError: If a line is empty or repeated, or the file is empty.
        OSError: If the file cannot be read.
    """
    try:
        # Other line separators may be part of a name.
        lines = read_bytes(path).decode("utf-8-sig").removesuffix("\n").split("\n")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not text in UTF-8: save it as such.") from None
    labels: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        label = line.removesuffix("\r")
        if not label:
            raise ValueError(f"{path}, line {number} is empty: expected a class name.")
        if label in labels:
            raise ValueError(
                f"{path}, line {number}: the class {label!r} is in line"
                f" {labels[label]} already."
            )
        labels[label] = number
    return normal_names(tuple(labels), os.fspath(path))


def check_class_names(class_names: Sequence[str], config: Any) -> None:
    """Raises a `ValueError` unless a `ModelConfig` has a name for each class."""
    if len(class_names) != config.num_classes:
        raise ValueError(
            f"The model has {config.num_classes} classes, got {len(class_names)} names."
        )
