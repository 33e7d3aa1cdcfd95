"""What the runs of a comparison came to, read from their folders."""

import collections
import csv
import dataclasses
import functools

import numpy as np
import tensorflow as tf

from grw_tf.comparison.run import EMBEDDINGS_FILE, Run

CURVES = {
    "loss": "class_loss",
    "accuracy": "top_1_accuracy",
    "order accuracy": "grw_order_accuracy",
}
"""What is drawn of trainings, and what it is called in their event files."""

_SPLITS = ("train", "validation")
_RATE = "clips_per_second"


@dataclasses.dataclass(frozen=True)
class Metric:
    """A number of a run.

    Attributes:
      key: what it is called in JSON.
      title: what it is called in tables.
      higher_is_better: or lower.
      scale: by which it is shown; 100 for shares.
      unit: of what is shown.
      meaning: in words.
    """

    key: str
    title: str
    higher_is_better: bool
    scale: float
    unit: str
    meaning: str


ACCURACY = Metric(
    *("accuracy", "Accuracy", True, 100.0, "%"),
    "Share of the test clips whose likeliest class, when all of the clip was seen, is"
    " right.",
)
METRICS = (
    ACCURACY,
    Metric(
        *("macro_f1", "Macro-F1", True, 100.0, "%"),
        "Mean F1 over classes: rare classes count as much as common ones.",
    ),
    Metric(
        *("accuracy_on_the_way", "Accuracy on the way", True, 100.0, "%"),
        "Mean of the accuracy after each frame: the area under the streaming curve.",
    ),
    Metric(
        *("label_changes_per_second", "Label changes", False, 1.0, "/s"),
        "How often the likeliest class changes while a clip goes on.",
    ),
    Metric(
        *("probability_change", "Probability change", False, 1.0, "/frame"),
        "Sum over classes of the absolute change of probability from frame to frame,"
        " from 0 to 2.",
    ),
    Metric(
        *("order_accuracy", "Order accuracy", True, 100.0, "%"),
        "How often the true order of a window's frames is the likeliest of all by their"
        " embeddings: what GRW smoothing asks for.",
    ),
    Metric(
        *("acceleration_ratio", "|a| / |v|", False, 1.0, ""),
        "Mean acceleration by mean velocity of the embeddings: 0 on a straight line at"
        " a steady pace, 1.73 for noise.",
    ),
)
FLICKER = ("label_changes_per_second", "probability_change")
"""Keys of the metrics of steadiness."""


@dataclasses.dataclass(frozen=True, eq=False)
class Outcome:
    """A finished run.

    Attributes:
      run: which one.
      measures, results: as its files have them.
      names, labels, predicted: of the test clips, [clips].
    """

    run: Run
    measures: dict
    results: dict
    names: tuple[str, ...]
    labels: tuple[str, ...]
    predicted: tuple[str, ...]

    @functools.cached_property
    def right(self):
        """Bool [clips], whether each prediction is right."""
        return np.array(self.labels) == np.array(self.predicted)

    @property
    def curve(self):
        """Accuracy after each frame, or None of a model that is no stream."""
        return self.results.get("streaming", {}).get("accuracy_after_each_frame")

    def value(self, key):
        """Returns the number of a metric, or None."""
        streaming = self.results.get("streaming", {})
        if key == "accuracy_on_the_way":
            return float(np.mean(self.curve)) if self.curve else None
        known = {
            "accuracy": self.results["top_1"],
            "macro_f1": self.results["macro_f1"],
        }
        return (known | streaming | self.measures).get(key)

    def embeddings(self):
        """Returns embeddings [kept, N, K], and the indices [kept] of their clips."""
        with np.load(self.run.folder / EMBEDDINGS_FILE) as arrays:
            return arrays["z"], arrays["clips"]

    @functools.cached_property
    def history(self):
        """Numbers by step, by (split, name) for the names of `CURVES`."""
        found = collections.defaultdict(dict)
        for split in _SPLITS:
            for file in sorted((self.run.folder / split).glob("events*")):
                for step, tag, value in _scalars(file):
                    # Of smoothing inside the backbone, too.
                    if tag.startswith("grw_") and tag.endswith("_order_accuracy"):
                        tag = CURVES["order accuracy"]
                    if tag in CURVES.values():
                        # A resumed run takes steps again.
                        found[split, tag][step] = value
        return dict(found)

    def clips_per_second(self):
        """Returns the median over loops of the training's own log, or None."""
        files = sorted((self.run.folder / "train").glob("events*"))
        # The first loop of a process traces the step.
        rates = [
            rate
            for file in files
            for rate in [v for _, tag, v in _scalars(file) if tag == _RATE][1:]
        ]
        return float(np.median(rates)) if rates else None


def read_outcome(run: Run) -> Outcome:
    """Reads a finished run.

    Raises:
      ValueError: if what it left is broken.
      OSError: if it cannot be read.
    """
    with run.predictions.open(
        encoding="utf-8", errors="surrogateescape", newline=""
    ) as file:
        rows = list(csv.DictReader(file))
    return Outcome(
        run=run,
        measures=run.measures(),
        results=run.results(),
        names=tuple(row["path"] for row in rows),
        labels=tuple(row["label"] for row in rows),
        predicted=tuple(row["predicted"] for row in rows),
    )


def read_outcomes(runs) -> dict[tuple[str, int], Outcome]:
    """Returns the finished ones of runs by (variant, seed).

    Raises:
      ValueError: if they were measured on different clips; as `read_outcome`.
    """
    found = {(r.variant, r.seed): read_outcome(r) for r in runs if r.finished}
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
