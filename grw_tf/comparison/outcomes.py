"""The outcomes of the runs of a comparison, read from their folders."""

import collections
import csv
import dataclasses
import functools
import math
from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from grw_tf.comparison.run import EMBEDDINGS_FILE, Run
from grw_tf.evaluation.perturbations import PERTURBATIONS

CURVES = {
    "loss": "class_loss",
    "accuracy": "top_1_accuracy",
    "order accuracy": "grw_order_accuracy",
}
"""The training curves that are drawn, and their names in the event files."""

_SHARES = {
    "accuracy_after_a_quarter": 0.25,
    "accuracy_after_half": 0.5,
    "accuracy_after_three_quarters": 0.75,
}
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
        "Training accuracy minus accuracy: how much the model overfits.",
    ),
    Metric(
        *("macro_f1", "Macro-F1", True, 100.0, "%"),
        "Mean F1 over classes: rare classes count as much as common ones.",
    ),
    Metric(
        *("negative_log_likelihood", "Log loss", False, 1.0, ""),
        "Mean -log of the probability of the right class, in nats: confident mistakes"
        " cost most.",
    ),
    Metric(
        *("calibration_error", "Calibration error", False, 100.0, "%"),
        "Expected calibration error: how far the probability of the likeliest class is"
        " from its accuracy, over 15 bins.",
    ),
    *(
        Metric(
            *(key, key.replace("_", " ").capitalize(), True, 100.0, "%"),
            f"Accuracy once {share:.0%} of the clip's frames have been seen.",
        )
        for key, share in _SHARES.items()
    ),
    Metric(
        *("accuracy_on_the_way", "Accuracy on the way", True, 100.0, "%"),
        "Mean of the accuracy after each frame: the area under the streaming curve.",
    ),
    Metric(
        *("label_changes_per_second", "Label changes", False, 1.0, "/s"),
        "How often the likeliest class changes during a clip.",
    ),
    Metric(
        *("probability_change", "Probability change", False, 1.0, "/frame"),
        "Sum over classes of the absolute change of probability from frame to frame,"
        " from 0 to 2.",
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
FLICKER = ("label_changes_per_second", "probability_change")
"""Keys of the metrics of how steady predictions are."""


@dataclasses.dataclass(frozen=True, eq=False)
class Outcome:
    """A finished run: its files of measures and results, and predictions [clips]."""

    run: Run
    measures: dict
    results: dict
    names: tuple[str, ...]
    labels: tuple[str, ...]
    predicted: tuple[str, ...]

    @functools.cached_property
    def right(self) -> np.ndarray:
        """Whether each prediction is correct, bool [clips]."""
        return np.array(self.labels) == np.array(self.predicted)

    @property
    def curve(self) -> list[float] | None:
        """Accuracy after each frame, or None for a model that cannot stream."""
        return self.results.get("streaming", {}).get("accuracy_after_each_frame")

    def value(self, key: str) -> float | None:
        """Returns a metric by its key, or None if it was not measured."""
        streaming = self.results.get("streaming", {})
        if key == "accuracy_on_the_way":
            return float(np.mean(self.curve)) if self.curve else None
        if key in _SHARES:
            return self._accuracy_after(_SHARES[key])
        accuracy = self.results["top_1"]
        if key == "gap":
            training = self.measures.get("training_accuracy")
            return None if training is None else training - accuracy
        known = self.results | {"accuracy": accuracy} | streaming | self.measures
        return known.get(key)

    def _accuracy_after(self, share):
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
    return Outcome(run, run.measures(), run.results(), *columns)


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
