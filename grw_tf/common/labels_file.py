"""The file that names a model's or a data set's classes, one a line."""

import os

from grw_tf.common.class_names import normal_names
from grw_tf.common.stored_file import read_bytes

LABELS_FILE = "labels.txt"


def read_labels(path: str | os.PathLike) -> tuple[str, ...]:
    """Returns the names of the classes, composed, in the order of their indices.

    Args:
        path: A text file in UTF-8, one name a line; local or of a cloud storage.

    Raises:
        ValueError: If a line is empty or there twice, or the file is empty.
        OSError: If the file cannot be read.
    """
    try:
        # Other line ends, which a name may hold, divide nothing.
        lines = read_bytes(path).decode("utf-8-sig").removesuffix("\n").split("\n")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not text in UTF-8: save it as such.") from None
    labels = {}
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


def check_class_names(class_names, config):
    """Raises a ValueError if names are not one for each class of a model."""
    if len(class_names) != config.num_classes:
        raise ValueError(
            f"The model has {config.num_classes} classes, got {len(class_names)} names."
        )
