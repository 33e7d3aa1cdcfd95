"""Measures of a classifier: accuracy, F1, confusion, calibration."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from grw_tf.common.text_table import text_table

# Sums of half-precision probabilities deviate by less.
_SUM_TOLERANCE = 1e-2

_BINS = 15


@dataclasses.dataclass(frozen=True, eq=False)
class Measures:
    """Measures of a classifier on labeled clips.

    Attributes:
        top_1, top_5: Share of the clips whose label is the likeliest class, or among
            the five likeliest (or all classes, if there are fewer).
        macro_f1: Mean F1 of the classes that are the label or the prediction of a clip.
        negative_log_likelihood: Mean -log of the probability of the label, in nats. A
            probability below float32's smallest normal number, 1.2e-38, counts as that
            number: a clip adds at most 87.3.
        calibration_error: Expected calibration error of the likeliest class, from 0 to
            1: how far its probability is from its accuracy, mean over 15 bins of equal
            width, weighted by their clips (Guo et al., ICML 2017, equation 3).
        precision, recall, f1: [classes]; NaN where undefined: precision of a class that
            is never predicted, recall of a class without clips, F1 of a class with
            neither.
        support: [classes], the number of clips of each class.
        confusion: [classes, classes], the number of clips by label (rows) and
            prediction (columns).
    """

    class_names: tuple[str, ...]
    top_1: float
    top_5: float
    macro_f1: float
    negative_log_likelihood: float
    calibration_error: float
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray
    confusion: np.ndarray

    def table(self) -> str:
        """Returns the measures as text, with a line for each class."""
        overall = (
            ("clips", f"{self.support.sum():6}"),
            ("top-1", f"{self.top_1:.3f}"),
            ("top-5", f"{self.top_5:.3f}"),
            ("macro-F1", f"{self.macro_f1:.3f}"),
            ("NLL", f"{self.negative_log_likelihood:.3f}"),
            ("ECE", f"{self.calibration_error:.3f}"),
        )
        header = ("class", "precision", "recall", "F1", "support")
        rows = [
            (name, *map(_text, scores), support)
            for name, *scores, support in self._rows()
        ]
        return f"{text_table(overall)}\n\n{text_table([header, *rows])}"

    def to_dict(self) -> dict:
        """Returns the measures in types that JSON has, with None for NaN."""
        keys = ("name", "precision", "recall", "f1", "support")
        return {
            "clips": int(self.support.sum()),
            "top_1": self.top_1,
            "top_5": self.top_5,
            "macro_f1": self.macro_f1,
            "negative_log_likelihood": self.negative_log_likelihood,
            "calibration_error": self.calibration_error,
            "classes": [dict(zip(keys, row, strict=True)) for row in self._rows()],
            "confusion": self.confusion.tolist(),
        }

    def _rows(self):
        scores = np.stack([self.precision, self.recall, self.f1], axis=1).tolist()
        for name, row, support in zip(
            self.class_names, scores, self.support.tolist(), strict=True
        ):
            yield (name, *(None if np.isnan(s) else s for s in row), support)


def measure(
    labels: npt.ArrayLike, probabilities: npt.ArrayLike, class_names: Sequence[str]
) -> Measures:
    """Measures a classifier with scikit-learn.

    Args:
        labels: Whole numbers [clips], indices into `class_names`.
        probabilities: [clips, classes].
        class_names: Names of the classes.

    Raises:
        ValueError: If there is no clip, if shapes or labels do not fit the classes, or
            if `probabilities` are not probabilities.
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
        negative_log_likelihood=_negative_log_likelihood(labels, probabilities),
        calibration_error=_calibration_error(hits[:, 0], probabilities.max(axis=1)),
        precision=precision,
        recall=recall,
        f1=f1,
        support=support,
        confusion=confusion_matrix(labels, ranked[:, 0], labels=classes),
    )


def _negative_log_likelihood(labels, probabilities):
    of_labels = probabilities[np.arange(len(labels)), labels]
    smallest = np.finfo(np.float32).tiny
    return float(-np.log(np.maximum(of_labels, smallest)).mean())


def _calibration_error(right, confidence):
    # Bin k holds probabilities above k / 15, up to (k + 1) / 15.
    bins = np.clip(np.ceil(_BINS * confidence).astype(int) - 1, 0, _BINS - 1)
    excess = np.bincount(bins, weights=confidence - right, minlength=_BINS)
    return float(np.abs(excess).sum() / len(right))


def likeliest(probabilities: npt.ArrayLike, k: int) -> np.ndarray:
    """Returns the k likeliest classes [clips, k], or all if there are fewer.

    The likeliest class comes first. Equally likely classes keep their order, as with
    argmax.
    """
    return np.argsort(-np.asarray(probabilities), axis=1, kind="stable")[:, :k]


def check_predictions(
    labels: npt.ArrayLike, probabilities: npt.ArrayLike, class_names: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Returns labels [clips] and probabilities [clips, classes] as checked arrays.

    Raises:
        ValueError: See `measure`.
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


def check_labels(labels: np.ndarray, num_classes: int) -> None:
    """Raises a ValueError if labels [clips] are not indices of classes."""
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"Labels must be whole numbers, got {labels.dtype}.")
    wrong = (labels < 0) | (labels >= num_classes)
    if wrong.any():
        raise ValueError(
            f"Clip {wrong.argmax()} has label {labels[wrong][0]}, but the"
            f" {num_classes} classes are 0 to {num_classes - 1}."
        )


def _text(score):
    return "-" if score is None else f"{score:.3f}"
