"""The scores from which sigmoids name their classes, as chosen on clips."""

import json
import logging
import os
from collections.abc import Mapping, Sequence

import tensorflow as tf

from grw_tf.common.output_activation import DEFAULT_THRESHOLD
from grw_tf.common.stored_file import read_bytes

THRESHOLDS_HELP = (
    "For sigmoids, the scores from which classes are named: a number for all, or"
    " thresholds.json of an evaluation on validation clips. Empty: those that training"
    " chose on its validation clips, or 0.5."
)
"""The help of flags for `thresholds_for`."""

# What the Model Garden calls the record of a best checkpoint, and its metric there.
_INFO_FILE, _RECORDED = "info.json", "best_thresholds"
_MISSING_SHOWN = 5


def thresholds_for(
    given: str,
    checkpoint: str | os.PathLike,
    recorded_names: Sequence[str],
    class_names: Sequence[str],
) -> tuple[float, ...]:
    """Returns the threshold of each class, in 0..1.

    Args:
        given: A number for all classes, or the path of a JSON file of numbers by class,
            as `grw-evaluate` writes it. Empty: those that training chose on its
            validation clips, if the checkpoint's folder records them, or else 0.5, with
            a warning.
        checkpoint: The checkpoint.
        recorded_names: Names of all classes of the checkpoint.
        class_names: Names of the classes to return thresholds of.

    Raises:
        ValueError: If a number is not in 0..1, or the file lacks a class or is not such
            a file.
        OSError: If the file cannot be read.
    """
    if given:
        try:
            return (_checked(float(given), "thresholds"),) * len(class_names)
        except ValueError:
            # Also numbers out of range, whose error is told.
            if _is_number(given):
                raise
        return _read(given, class_names)
    recorded = _recorded(os.fspath(checkpoint), recorded_names)
    if recorded is None:
        logging.warning(
            "%s records no thresholds: a class is named from a score of %g on. Choose"
            " others on validation clips by grw-evaluate, which writes thresholds.json,"
            " and give them by --thresholds=FILE.",
            checkpoint,
            DEFAULT_THRESHOLD,
        )
        recorded = {}
    # A class without clips in the validation has none.
    found = map(recorded.get, class_names)
    return tuple(DEFAULT_THRESHOLD if n is None else n for n in found)


def _read(path, class_names):
    try:
        content = json.loads(read_bytes(path))
    except ValueError:
        content = None
    numbers = content.get("thresholds") if isinstance(content, Mapping) else None
    if not isinstance(numbers, Mapping):
        raise ValueError(
            f"{path} holds no thresholds: expected JSON with numbers by class, as"
            ' {"thresholds": {"run": 0.4}}, or give one number for all classes.'
        )
    missing = [name for name in class_names if name not in numbers]
    if missing:
        raise ValueError(
            f"{path} lacks a threshold of {', '.join(missing[:_MISSING_SHOWN])}: add"
            " it, or choose thresholds with this model by grw-evaluate."
        )
    return tuple(_checked(numbers[n], f"{path}: {n!r}") for n in class_names)


def _recorded(checkpoint, names):
    folder = (
        checkpoint if tf.io.gfile.isdir(checkpoint) else os.path.dirname(checkpoint)
    )
    path = os.path.join(folder, _INFO_FILE)
    if not tf.io.gfile.exists(path):
        return None
    numbers = json.loads(read_bytes(path)).get(_RECORDED)
    if not isinstance(numbers, list) or len(numbers) != len(names):
        return None
    return dict(zip(names, numbers, strict=True))


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def _checked(number, where):
    is_number = isinstance(number, int | float) and not isinstance(number, bool)
    if not (is_number and 0 <= number <= 1):
        raise ValueError(
            f"{where} is {number!r:.80}: a threshold is a score from 0 to 1."
        )
    return float(number)
