"""Measures of a classifier with several labels a clip: mAP, F1, thresholds."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.metrics import (
    average_precision_score,
    precision_recall_curve,
    precision_recall_fscore_support,
)

from grw_tf.common.output_activation import DEFAULT_THRESHOLD
from grw_tf.common.text_table import text_table


@dataclasses.dataclass(frozen=True, eq=False)
class LabelMeasures:
    """Measures of a classifier on clips with any number of labels.

    A class is named if its score is at least its threshold.

    Attributes:
        class_names: Names of the classes.
        mean_average_precision: Mean of `average_precision` over the classes with clips
            (mAP); NaN if there are none.
        micro_f1: F1 over the decisions on all classes of all clips; 0 if no class is
            there or named.
        macro_f1: Mean F1 of the classes that are there or named in a clip; NaN if there
            are none.
        exact_match: Share of the clips whose named classes are all of theirs and no
            others.
        negative_log_likelihood: Mean binary cross-entropy over classes and clips, in
            nats. A score below float32's smallest normal number counts as that number.
        average_precision: [classes], the precision at each clip of a class, clips
            ordered by score, averaged over these clips; NaN for a class without clips.
        precision, recall, f1: [classes]; NaN where undefined.
        support: [classes], the number of clips of each class.
        thresholds: [classes], those in use.
        best_thresholds: [classes], those with the best F1 on these clips, as
            `best_threshold`.
    """

    class_names: tuple[str, ...]
    mean_average_precision: float
    micro_f1: float
    macro_f1: float
    exact_match: float
    negative_log_likelihood: float
    average_precision: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray
    thresholds: np.ndarray
    best_thresholds: np.ndarray
    clips: int

    def table(self) -> str:
        """Returns the measures as text, with a line for each class."""
        overall = (
            ("clips", f"{self.clips:6}"),
            ("mAP", _text(self.mean_average_precision)),
            ("micro-F1", _text(self.micro_f1)),
            ("macro-F1", _text(self.macro_f1)),
            ("all classes right", _text(self.exact_match)),
            ("NLL", _text(self.negative_log_likelihood)),
        )
        header = ("class", "AP", "precision", "recall", "F1", "threshold", "support")
        rows = [
            (row["name"], *(_text(row[key]) for key in _SHOWN), row["support"])
            for row in self._rows()
        ]
        return f"{text_table(overall)}\n\n{text_table([header, *rows])}"

    def to_dict(self) -> dict:
        """Returns the measures in types that JSON has, with None for NaN."""
        overall = (
            *("mean_average_precision", "micro_f1", "macro_f1", "exact_match"),
            "negative_log_likelihood",
        )
        return {
            "clips": self.clips,
            **{name: _known(getattr(self, name)) for name in overall},
            "classes": self._rows(),
        }

    def _rows(self):
        columns = (
            *("average_precision", "precision", "recall", "f1"),
            *("thresholds", "best_thresholds"),
        )
        keys = [column.removesuffix("s") for column in columns]
        numbers = np.stack([getattr(self, column) for column in columns], axis=1)
        return [
            {"name": name}
            | dict(zip(keys, map(_known, row), strict=True))
            | {"support": support}
            for name, row, support in zip(
                self.class_names,
                numbers.tolist(),
                self.support.tolist(),
                strict=True,
            )
        ]


_SHOWN = ("average_precision", "precision", "recall", "f1", "threshold")


def measure_labels(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    thresholds: npt.ArrayLike,
    class_names: Sequence[str],
) -> LabelMeasures:
    """Measures a classifier with scikit-learn.

    Args:
        labels: Which classes each clip has, bool [clips, classes].
        scores: Sigmoids of logits [clips, classes].
        thresholds: Scores [classes] from which classes are named.
        class_names: Names of the classes.

    Raises:
        ValueError: If there is no clip, if shapes do not fit the classes, or if
            `scores` are not in 0..1.
    """
    labels, scores = check_label_scores(labels, scores, class_names)
    thresholds = np.asarray(thresholds, np.float64)
    named = scores >= thresholds
    averages = average_precisions(labels, scores)
    precision, recall, f1, support = precision_recall_fscore_support(
        *_at_least_two(labels, named), average=None, zero_division=np.nan
    )
    classes = slice(len(class_names))
    right = (labels & named).sum()
    return LabelMeasures(
        class_names=tuple(class_names),
        mean_average_precision=mean_of_known(averages),
        micro_f1=float(2 * right / max(labels.sum() + named.sum(), 1)),
        macro_f1=mean_of_known(f1[classes]),
        exact_match=float((labels == named).all(axis=1).mean()),
        negative_log_likelihood=_negative_log_likelihood(labels, scores),
        average_precision=averages,
        precision=precision[classes],
        recall=recall[classes],
        f1=f1[classes],
        support=support[classes].astype(int),
        thresholds=thresholds,
        best_thresholds=np.array(
            [best_threshold(*pair) for pair in zip(labels.T, scores.T, strict=True)]
        ),
        clips=len(labels),
    )


def average_precisions(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Returns the average precision of each class, NaN for one without clips.

    Labels are bool and scores numbers, both [clips, classes].
    """
    return np.array(
        [
            average_precision_score(of_class, own) if of_class.any() else np.nan
            for of_class, own in zip(labels.T, scores.T, strict=True)
        ]
    )


def mean_of_known(numbers: np.ndarray) -> float:
    """Returns the mean of numbers that are not NaN, NaN if there are none."""
    known = numbers[~np.isnan(numbers)]
    return float(known.mean()) if known.size else float("nan")


def best_threshold(labels: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Returns the threshold of one class with the best F1.

    It lies in the middle between the lowest score that is named and the next one below
    it, so that clips near either are told apart as well; of equally good ones it is the
    highest.

    Args:
        labels: Whether clips are of the class, bool [clips]. Without any, 0.5 is
            returned.
        scores: Their scores [clips].
    """
    labels, scores = np.asarray(labels, bool), np.asarray(scores, np.float64)
    if not labels.any():
        return DEFAULT_THRESHOLD
    precision, recall, tried = precision_recall_curve(labels, scores)
    # The last of precision and recall has no threshold.
    both = precision[:-1] + recall[:-1]
    f1 = np.divide(
        2 * precision[:-1] * recall[:-1], both, out=np.zeros(len(tried)), where=both > 0
    )
    best = np.flatnonzero(f1 >= f1.max() - 1e-12)[-1]
    below = scores[scores < tried[best]]
    lower = below.max() if below.size else 0.0
    return float((tried[best] + lower) / 2)


def check_label_scores(
    labels: npt.ArrayLike, scores: npt.ArrayLike, class_names: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Returns labels and scores [clips, classes] as checked arrays.

    Raises:
        ValueError: See `measure_labels`.
    """
    labels, scores = np.asarray(labels), np.asarray(scores, np.float64)
    expected = (len(labels) if labels.ndim else 0, len(class_names))
    shapes = labels.shape == scores.shape == expected
    if not shapes or not len(labels) or labels.dtype != bool:
        raise ValueError(
            "Expected labels, as bool, and scores"
            f" [clips, {len(class_names)}] of at least one clip, got"
            f" {labels.dtype.name} {labels.shape} and {scores.shape}."
        )
    broken = ~((scores >= 0) & (scores <= 1)).all(axis=1)
    if broken.any():
        raise ValueError(
            f"Clip {broken.argmax()} has scores that are not in 0..1: the model is"
            " broken, or logits were given."
        )
    return labels, scores


def _at_least_two(*tables):
    """Returns tables [clips, classes] as scikit-learn takes them as multi-label.

    It takes a single column as indices of classes.
    """
    return [
        np.pad(table, ((0, 0), (0, 1))) if table.shape[1] == 1 else table
        for table in tables
    ]


def _negative_log_likelihood(labels, scores):
    of_labels = np.where(labels, scores, 1 - scores)
    smallest = np.finfo(np.float32).tiny
    return float(-np.log(np.maximum(of_labels, smallest)).mean())


def _known(number):
    return None if np.isnan(number) else float(number)


def _text(number):
    return "-" if number is None or np.isnan(number) else f"{number:.3f}"
