"""One training of a comparison: what it is, and what it leaves."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from grw_tf.data.clip_set import ClipSet
from grw_tf.evaluation.evaluate import PREDICTIONS_FILE, RESULTS_FILE

EXPERIMENT_FILE = "experiment.yaml"
START_FILE = "start.json"
MEASURES_FILE = "measures.json"
ROBUSTNESS_FILE = "robustness.json"
FAILURE_FILE = "failure.json"
EMBEDDINGS_FILE = "embeddings.npz"
MODEL_FILE = "model.tflite"
_TEST = "test"


@dataclasses.dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        folder: The folder of the run, also the trainer's `model_dir`.
        variant: The name of its variant.
        experiment: Name of the experiment that `experiment.yaml` in the folder
            overrides.
        train_clips, test_clips: The clips to train on and to compare on.
        batch_size: Number of clips evaluated at once.
        window: Frames in a window of the order accuracy, the same for all variants.
        export_as: Quantization of the exported file; "" exports none.
        robustness: Whether the accuracy on perturbed clips is measured, too.
    """

    folder: Path
    variant: str
    seed: int
    experiment: str
    train_clips: ClipSet
    test_clips: ClipSet
    batch_size: int
    window: int
    export_as: str = ""
    robustness: bool = False

    @property
    def title(self) -> str:
        """The variant and the seed, in words."""
        return f"{self.variant}, seed {self.seed}"

    @property
    def test_folder(self) -> Path:
        """The folder of the evaluation of its model."""
        return self.folder / _TEST

    @property
    def measured(self) -> bool:
        """Whether it is trained and measured, but perhaps not on perturbed clips."""
        return (self.folder / MEASURES_FILE).exists()

    @property
    def finished(self) -> bool:
        """Whether nothing of it is left to do."""
        is_robustness_open = (
            self.robustness and not (self.folder / ROBUSTNESS_FILE).exists()
        )
        return self.measured and not is_robustness_open

    def measures(self) -> dict[str, Any]:
        """Returns what was measured of a finished run."""
        measures, robustness = _read(self.folder / MEASURES_FILE), {}
        if (self.folder / ROBUSTNESS_FILE).exists():
            robustness = _read(self.folder / ROBUSTNESS_FILE)
        return measures | robustness

    def results(self) -> dict[str, Any]:
        """Returns the evaluation of a finished run, as `evaluate` wrote it."""
        return _read(self.test_folder / RESULTS_FILE)

    def failure(self) -> str:
        """Returns why it failed, or "" if it did not."""
        file = self.folder / FAILURE_FILE
        return _read(file)["reason"] if file.exists() and not self.finished else ""

    @property
    def predictions(self) -> Path:
        """The file of the predictions of a finished run."""
        return self.test_folder / PREDICTIONS_FILE


def spread(count: int, most: int) -> np.ndarray:
    """Returns at most `most` indices below `count`, evenly spread."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(int)


def _read(path):
    try:
        return json.loads(path.read_text())
    except ValueError:
        raise ValueError(
            f"{path} is broken: remove its folder, and run again."
        ) from None
