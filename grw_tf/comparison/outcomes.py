"""The outcomes of the runs of a comparison, read from their folders."""

import collections
import csv
import dataclasses
import functools
import math
from collections.abc import Container, Iterable

import numpy as np
import tensorflow as tf

from grw_tf.common.labels_file import LABELS_BETWEEN
from grw_tf.comparison.run import EMBEDDINGS_FILE, Run
from grw_tf.evaluation.perturbations import PERTURBATIONS
from grw_tf.evaluation.predictions import score_column

CURVES = {
    "loss": "class_loss",
    "accuracy": "top_1_accuracy",
    "mAP": "mean_average_precision",
    "order accuracy": "grw_order_accuracy",
}
"""The training curves that are drawn, and their names in the event files."""

_SHARES = {"a_quarter": 0.25, "half": 0.5, "three_quarters": 0.75}
_SPLITS = ("train", "validation")
_RATE = "clips_per_second"


@dataclasses.dataclass(frozen=True)
class Metric:
    """A number of a run, with its key in JSON, its title in tables and its meaning.

    It is shown multiplied by `scale` (100 for shares), in `unit`.
    """

    key: str
    title: str
    higher_is_better: bool
    scale: float
    unit: str
    meaning: str

    @property
    def title_with_unit(self) -> str:
        """The title of its row or column in a table."""
        return f"{self.title}, {self.unit}" if self.unit else self.title


ACCURACY = Metric(
    *("accuracy", "Accuracy", True, 100.0, "%"),
    "Share of the test clips whose likeliest class is right once the whole clip was"
    " seen.",
)
METRICS = (
    ACCURACY,
    Metric(
        *("training_accuracy", "Training accuracy", True, 100.0, "%"),
        "Accuracy on training clips, as they are and at inference: of at most 512.",
    ),
    Metric(
        *("gap", "Gap", False, 100.0, "%"),
        "Training accuracy minus accuracy, or mAP: how much the model overfits.",
    ),
    Metric(
        *("macro_f1", "Macro-F1", True, 100.0, "%"),
        "Mean F1 over classes: rare classes count as much as common ones.",
    ),
    Metric(
        *("negative_log_likelihood", "Log loss", False, 1.0, ""),
        "Mean -log of the probability of the right class (with sigmoids, of what is"
        " right on each class), in nats: confident mistakes cost most.",
    ),
    Metric(
        *("calibration_error", "Calibration error", False, 100.0, "%"),
        "Expected calibration error: how far the probability of the likeliest class is"
        " from its accuracy, over 15 bins.",
    ),
    *(
        Metric(
            f"accuracy_after_{part}",
            f"Accuracy after {part.replace('_', ' ')}",
            *(True, 100.0, "%"),
            f"Accuracy once {share:.0%} of the clip's frames have been seen.",
        )
        for part, share in _SHARES.items()
    ),
    Metric(
        *("accuracy_on_the_way", "Accuracy on the way", True, 100.0, "%"),
        "Mean of the accuracy after each frame: the area under the streaming curve.",
    ),
    Metric(
        *("label_changes_per_second", "Label changes", False, 1.0, "/s"),
        "How often the likeliest class changes during a clip; with sigmoids, how often"
        " a class begins or ceases to be named.",
    ),
    Metric(
        *("probability_change", "Probability change", False, 1.0, "/frame"),
        "Sum over classes of the absolute change of probability from frame to frame,"
        " from 0 to 2 for a softmax.",
    ),
    Metric(
        *("order_accuracy", "Order accuracy", True, 100.0, "%"),
        "How often the true order of a window's frames is the likeliest of all by their"
        " embeddings: what GRW smoothing trains for.",
    ),
    Metric(
        *("acceleration_ratio", "|a| / |v|", False, 1.0, ""),
        "Mean acceleration divided by mean velocity of the embeddings: 0 on a straight"
        " line at constant speed, 1.73 for noise.",
    ),
    Metric(
        *("straightness", "Straightness", True, 1.0, ""),
        "Distance from a clip's first to its last embedding, divided by the length of"
        " the path between them: 1 on a straight line.",
    ),
    Metric(
        *("direction_consistency", "Direction consistency", True, 1.0, ""),
        "Cosine of a clip's displacement, from its first to its last embedding, to the"
        " mean direction of its class's other clips, minus that to the other classes':"
        " 0 if classes have one direction, 1.5 for three classes at equal angles.",
    ),
    Metric(
        *("direction_accuracy", "Direction accuracy", True, 100.0, "%"),
        "Share of the clips whose displacement is nearest to the direction of their own"
        " class, estimated on other clips.",
    ),
    Metric(
        *("displacement_explained", "Displacement explained", True, 1.0, ""),
        "Share of the variance of displacements that classes explain, adjusted for"
        " their number: 0 on average if displacements do not depend on the class.",
    ),
    *(
        Metric(perturbed.key, perturbed.title, True, 100.0, "%", perturbed.meaning)
        for perturbed in PERTURBATIONS
    ),
)
_MAP = "mean_average_precision"
MEAN_AVERAGE_PRECISION = Metric(
    *(_MAP, "mAP", True, 100.0, "%"),
    "Mean over classes of the average precision of their scores once the whole clip was"
    " seen: how well clips with a class are ranked above those without.",
)
# What needs a single label: a likeliest class, or a direction of motion of each class.
_OF_ONE_LABEL = {
    *("accuracy", "training_accuracy", "calibration_error", "accuracy_on_the_way"),
    *("direction_consistency", "direction_accuracy", "displacement_explained"),
    *(f"accuracy_after_{part}" for part in _SHARES),
    *(perturbed.key for perturbed in PERTURBATIONS),
}
LABEL_METRICS = (
    MEAN_AVERAGE_PRECISION,
    Metric(
        *(f"training_{_MAP}", "Training mAP", True, 100.0, "%"),
        "mAP on training clips, as they are and at inference: of at most 512.",
    ),
    Metric(
        *("micro_f1", "Micro-F1", True, 100.0, "%"),
        "F1 of all decisions on all classes, at the thresholds chosen in training.",
    ),
    Metric(
        *("exact_match", "All classes right", True, 100.0, "%"),
        "Share of the test clips whose named classes are all of theirs and no others.",
    ),
    *(metric for metric in METRICS if metric.key not in _OF_ONE_LABEL),
    *(
        Metric(
            f"{_MAP}_after_{part}",
            f"mAP after {part.replace('_', ' ')}",
            *(True, 100.0, "%"),
            f"mAP once {share:.0%} of the clip's frames have been seen.",
        )
        for part, share in _SHARES.items()
    ),
    Metric(
        *(f"{_MAP}_on_the_way", "mAP on the way", True, 100.0, "%"),
        "Mean of mAP after each frame: the area under the streaming curve.",
    ),
    *(
        Metric(*perturbed.named(True), True, 100.0, "%", perturbed.meaning)
        for perturbed in PERTURBATIONS
    ),
)
"""The metrics of models with several labels a clip."""


def judged_metric(keys: Container[str]) -> Metric:
    """Returns the metric that decides a comparison, by the keys of its metrics."""
    return MEAN_AVERAGE_PRECISION if _MAP in keys else ACCURACY


FLICKER = ("label_changes_per_second", "probability_change")
"""Keys of the metrics of how steady predictions are."""


@dataclasses.dataclass(frozen=True, eq=False)
class Outcome:
    """A finished run: its files of measures and results, and predictions [clips].

    With several labels a clip, `labels` and `predicted` list classes, and the rest are
    arrays [clips, classes]: which classes are there and which are named, bool, and the
    scores. Otherwise these are None.
    """

    run: Run
    measures: dict
    results: dict
    names: tuple[str, ...]
    labels: tuple[str, ...]
    predicted: tuple[str, ...]
    there: np.ndarray | None = None
    named: np.ndarray | None = None
    scores: np.ndarray | None = None

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that it may have."""
        return METRICS if self.scores is None else LABEL_METRICS

    @functools.cached_property
    def right(self) -> np.ndarray:
        """Whether each prediction is correct, bool [clips]: all classes of the clip."""
        return np.array(self.labels) == np.array(self.predicted)

    @property
    def curve(self) -> list[float] | None:
        """Accuracy, or mAP, after each frame; None for a model that cannot stream."""
        measure = judged_metric(self.results).key
        curve = self.results.get("streaming", {}).get(f"{measure}_after_each_frame")
        return None if curve is None or None in curve else curve

    def value(self, key: str) -> float | None:
        """Returns a metric by its key, or None if it was not measured."""
        streaming = self.results.get("streaming", {})
        measure = judged_metric(self.results).key
        if key == f"{measure}_on_the_way":
            return float(np.mean(self.curve)) if self.curve else None
        shares = {f"{measure}_after_{part}": share for part, share in _SHARES.items()}
        if key in shares:
            return self._measured_after(shares[key])
        known = self.results | streaming | self.measures
        if "top_1" in self.results:
            known["accuracy"] = self.results["top_1"]
        if key == "gap":
            training, test = known.get(f"training_{measure}"), known.get(measure)
            return None if training is None or test is None else training - test
        return known.get(key)

    def _measured_after(self, share):
        if not self.curve:
            return None
        return self.curve[math.ceil(share * len(self.curve)) - 1]

    def embeddings(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns embeddings [kept, N, K], and the indices [kept] of their clips."""
        with np.load(self.run.folder / EMBEDDINGS_FILE) as arrays:
            return arrays["z"], arrays["clips"]

    @functools.cached_property
    def history(self) -> dict[tuple[str, str], dict[int, float]]:
        """Numbers by step, for each (split, name) with a name of `CURVES`."""
        found: dict[tuple[str, str], dict[int, float]] = collections.defaultdict(dict)
        for split in _SPLITS:
            for file in sorted((self.run.folder / split).glob("events*")):
                for step, tag, value in _scalars(file):
                    # Smoothing inside the backbone names its place.
                    if tag.startswith("grw_") and tag.endswith("_order_accuracy"):
                        tag = CURVES["order accuracy"]
                    if tag in CURVES.values():
                        # A resumed run takes steps again.
                        found[split, tag][step] = value
        return dict(found)

    def clips_per_second(self) -> float | None:
        """Returns the median over the loops of the training's own log, or None."""
        files = sorted((self.run.folder / "train").glob("events*"))
        # The first loop of a process traces the step.
        rates = [
            rate
            for file in files
            for rate in [v for _, tag, v in _scalars(file) if tag == _RATE][1:]
        ]
        return float(np.median(rates)) if rates else None


def _read(run):
    with run.predictions.open(
        encoding="utf-8", errors="surrogateescape", newline=""
    ) as file:
        rows = list(csv.DictReader(file))
    columns = [tuple(row[k] for row in rows) for k in ("path", "label", "predicted")]
    results = run.results()
    return Outcome(
        run, run.measures(), results, *columns, *_label_arrays(results, rows)
    )


def _label_arrays(results, rows):
    """Returns what an `Outcome` has of several labels a clip; nothing for one label."""
    if MEAN_AVERAGE_PRECISION.key not in results:
        return ()
    names = [each["name"] for each in results["classes"]]
    there, named = (
        np.array([[name in cell.split(LABELS_BETWEEN) for name in names] for cell in k])
        for k in ([row["label"] for row in rows], [row["predicted"] for row in rows])
    )
    scores = [[float(row[score_column(name)]) for name in names] for row in rows]
    return there, named, np.array(scores)


def read_outcomes(runs: Iterable[Run]) -> dict[tuple[str, int], Outcome]:
    """Returns the outcomes of the runs that have finished, by (variant, seed).

    Raises:
        ValueError: If they were measured on different clips, or a file is broken.
        OSError: If a file cannot be read.
    """
    found = {(r.variant, r.seed): _read(r) for r in runs if r.finished}
    for outcome in found.values():
        first = next(iter(found.values()))
        if (outcome.names, outcome.labels) != (first.names, first.labels):
            raise ValueError(
                f"{outcome.run.folder} and {first.run.folder} were measured on other"
                " clips: remove one of them, and run again."
            )
    return found


def _scalars(file):
    for event in tf.compat.v1.train.summary_iterator(str(file)):
        for value in event.summary.value:
            if value.metadata.plugin_data.plugin_name == "scalars":
                yield event.step, value.tag, float(tf.make_ndarray(value.tensor))
