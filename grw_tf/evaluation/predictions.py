"""Writes files of predictions and of results."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from grw_tf.common.csv_file import write_csv
from grw_tf.common.labels_file import LABELS_BETWEEN
from grw_tf.common.replacing import replacing
from grw_tf.evaluation.label_measures import check_label_scores
from grw_tf.evaluation.measures import check_predictions, likeliest

_TOP = 5


def score_column(class_name: str) -> str:
    """Returns the name of the column of a class's score."""
    return f"score {class_name}"


def write_predictions(
    path: str | os.PathLike,
    names: Sequence[str],
    labels: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    class_names: Sequence[str],
) -> None:
    """Writes a model's prediction for each clip as CSV, whole or not at all.

    The columns are path, label, predicted, probability_of_label, and the likeliest
    classes with their probabilities: top_1, probability_1, up to 5.

    Labels are whole numbers [clips], probabilities [clips, classes]. The file is UTF-8,
    except for names that are not.

    Raises:
        ValueError: If the arguments do not fit each other, or if `probabilities` are
            not probabilities.
        OSError: If the file cannot be written.
    """
    labels, probabilities = check_predictions(labels, probabilities, class_names)
    if len(names) != len(labels):
        raise ValueError(f"There are {len(names)} names for {len(labels)} clips.")
    ranked = likeliest(probabilities, _TOP)
    header = ["path", "label", "predicted", "probability_of_label"]
    for rank in range(1, ranked.shape[1] + 1):
        header += [f"top_{rank}", f"probability_{rank}"]
    write_csv(path, header, _rows(names, labels, probabilities, ranked, class_names))


def write_label_predictions(
    path: str | os.PathLike,
    names: Sequence[str],
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    thresholds: npt.ArrayLike,
    class_names: Sequence[str],
) -> None:
    """Writes predictions of several labels as CSV, whole or not at all.

    The columns are path, label and predicted, the names of all classes that are there
    and that are named, with " | " between them; and for each class its score, called
    `score <name>`.

    Args:
        path: The file.
        names: Names of the clips.
        labels: Which classes each clip has, bool [clips, classes].
        scores: Sigmoids [clips, classes].
        thresholds: Scores [classes] from which classes are named.
        class_names: Names of the classes.

    Raises:
        ValueError: If the arguments do not fit each other.
        OSError: If the file cannot be written.
    """
    labels, scores = check_label_scores(labels, scores, class_names)
    if len(names) != len(labels):
        raise ValueError(f"There are {len(names)} names for {len(labels)} clips.")
    named = scores >= np.asarray(thresholds)

    def listed(chosen):
        return LABELS_BETWEEN.join(
            name for name, own in zip(class_names, chosen, strict=True) if own
        )

    header = ["path", "label", "predicted", *map(score_column, class_names)]
    rows = (
        [name, listed(there), listed(found), *(f"{score:.6g}" for score in own)]
        for name, there, found, own in zip(names, labels, named, scores, strict=True)
    )
    write_csv(path, header, rows)


def write_results(path: str | os.PathLike, results: dict) -> None:
    """Writes measures as JSON, whole or not at all.

    Raises:
        ValueError: If a number is NaN or infinite, which JSON does not have.
        OSError: If the file cannot be written.
    """
    text = json.dumps(results, indent=2, allow_nan=False)
    with replacing(Path(path)) as unfinished:
        unfinished.write_text(text + "\n")


def _rows(names, labels, probabilities, ranked, class_names):
    for name, label, row, best in zip(
        names, labels, probabilities, ranked, strict=True
    ):
        cells = [name, class_names[label], class_names[best[0]], f"{row[label]:.6g}"]
        for index in best:
            cells += [class_names[index], f"{row[index]:.6g}"]
        yield cells
