"""How well the probabilities of classes meet the labels."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from grw_tf.common.text_table import text_table

# Sums of half-precision probabilities are off by less.
_SUM_TOLERANCE = 1e-2


@dataclasses.dataclass(frozen=True, eq=False)
class Measures:
    """Measures of a classifier on labelled clips.

    Attributes:
      class_names: names of the classes.
      top_1, top_5: share of the clips whose label is the likeliest class, or among the
        five likeliest; with fewer classes than five, among all of them.
      macro_f1: mean F1 of the classes that are a label or a prediction of any clip.
      precision, recall, f1: [classes]; NaN where there is nothing to measure: precision
        of a class never predicted, recall of one without clips, F1 of one with neither.
      support: [classes], clips of each class.
      confusion: [classes, classes], clips by label (rows) and prediction (columns).
    """

    class_names: tuple[str, ...]
    top_1: float
    top_5: float
    macro_f1: float
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray
    confusion: np.ndarray

    def table(self) -> str:
        """Returns the measures as text, a line for each class."""
        overall = (
            ("clips", f"{self.support.sum():6}"),
            ("top-1", f"{self.top_1:.3f}"),
            ("top-5", f"{self.top_5:.3f}"),
            ("macro-F1", f"{self.macro_f1:.3f}"),
        )
        header = ("class", "precision", "recall", "F1", "support")
        rows = [
            (name, *map(_text, scores), support)
            for name, *scores, support in self._rows()
        ]
        return f"{text_table(overall)}\n\n{text_table([header, *rows])}"

    def to_dict(self) -> dict:
        """Returns the measures as JSON can hold them, None for NaN."""
        keys = ("name", "precision", "recall", "f1", "support")
        return {
            "clips": int(self.support.sum()),
            "top_1": self.top_1,
            "top_5": self.top_5,
            "macro_f1": self.macro_f1,
            "classes": [dict(zip(keys, row, strict=True)) for row in self._rows()],
            "confusion": self.confusion.tolist(),
        }

    def _rows(self):
        scores = np.stack([self.precision, self.recall, self.f1], axis=1).tolist()
        for name, row, support in zip(
            self.class_names, scores, self.support.tolist(), strict=True
        ):
            yield (name, *(None if np.isnan(s) else s for s in row), support)


def measure(labels, probabilities, class_names: Sequence[str]) -> Measures:
    """Measures a classifier by scikit-learn.

    Args:
      labels: whole numbers [clips], indices into `class_names`.
      probabilities: [clips, classes].
      class_names: names of the classes.

    Raises:
      ValueError: if there is no clip, if shapes or labels do not fit the classes, or if
        these are no probabilities.
    """
    labels, probabilities = check_predictions(labels, probabilities, class_names)
    ranked = likeliest(probabilities, 5)
    hits = ranked == labels[:, None]
    classes = range(len(class_names))
    precision, recall, f1, support = precision_recall_fscore_support(
        labels, ranked[:, 0], labels=classes, zero_division=np.nan
    )
    return Measures(
        class_names=tuple(class_names),
        top_1=float(hits[:, 0].mean()),
        top_5=float(hits.any(axis=1).mean()),
        macro_f1=float(np.nanmean(f1)),
        precision=precision,
        recall=recall,
        f1=f1,
        support=support,
        confusion=confusion_matrix(labels, ranked[:, 0], labels=classes),
    )


def likeliest(probabilities, k) -> np.ndarray:
    """Returns the k likeliest classes [clips, k], likeliest first.

    There are fewer if there are fewer classes; of equally likely ones the first leads,
    as for argmax.
    """
    return np.argsort(-np.asarray(probabilities), axis=1, kind="stable")[:, :k]


def check_predictions(labels, probabilities, class_names):
    """Checks labels [clips] and probabilities [clips, classes], and returns arrays.

    Raises:
      ValueError: as `measure`.
    """
    labels = np.asarray(labels)
    probabilities = np.asarray(probabilities, np.float64)
    expected = (len(labels) if labels.ndim else 0, len(class_names))
    if labels.ndim != 1 or not labels.size or probabilities.shape != expected:
        raise ValueError(
            f"Expected labels [clips] and probabilities [clips, {len(class_names)}] of"
            f" at least one clip, got {labels.shape} and {probabilities.shape}."
        )
    check_labels(labels, len(class_names))
    broken = ~np.isfinite(probabilities).all(axis=1)
    if broken.any():
        raise ValueError(
            f"Clip {broken.argmax()} has probabilities that are NaN or infinite: the"
            " model is broken."
        )
    sums = probabilities.sum(axis=1)
    wrong = (np.abs(sums - 1) > _SUM_TOLERANCE) | (probabilities < 0).any(axis=1)
    if wrong.any():
        clip = wrong.argmax()
        raise ValueError(
            f"Clip {clip} has probabilities from {probabilities[clip].min():.3g} that"
            f" sum to {sums[clip]:.3g}: take the softmax of logits first."
        )
    return labels, probabilities


def check_labels(labels, num_classes):
    """Checks that labels [clips] are indices of classes.

    Raises:
      ValueError: if one is not.
    """
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"Labels must be whole numbers, got {labels.dtype}.")
    wrong = (labels < 0) | (labels >= num_classes)
    if wrong.any():
        raise ValueError(
            f"Clip {wrong.argmax()} has label {labels[wrong][0]}, and the"
            f" {num_classes} classes are 0 to {num_classes - 1}."
        )


def _text(score):
    return "-" if score is None else f"{score:.3f}"
