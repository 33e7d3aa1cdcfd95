"""One training of a comparison: what it is, and what it leaves."""

import dataclasses
import json
from pathlib import Path

from grw_tf.evaluation.evaluate import PREDICTIONS_FILE, RESULTS_FILE

EXPERIMENT_FILE = "experiment.yaml"
START_FILE = "start.json"
MEASURES_FILE = "measures.json"
FAILURE_FILE = "failure.json"
EMBEDDINGS_FILE = "embeddings.npz"
MODEL_FILE = "model.tflite"
_TEST = "test"


@dataclasses.dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
      folder: of the run, the trainer's `model_dir` too.
      variant: name of its variant.
      seed: its seed.
      experiment: name of the experiment that `experiment.yaml` in the folder overrides.
      test_records: records to compare on.
      batch_size: clips at once there.
      export_as: quantisation of the exported file; "" for none.
    """

    folder: Path
    variant: str
    seed: int
    experiment: str
    test_records: str
    batch_size: int
    export_as: str = ""

    @property
    def title(self) -> str:
        """What to call it."""
        return f"{self.variant}, seed {self.seed}"

    @property
    def test_folder(self) -> Path:
        """Where the evaluation of its model is."""
        return self.folder / _TEST

    @property
    def finished(self) -> bool:
        """Whether nothing of it is left to do."""
        return (self.folder / MEASURES_FILE).exists()

    def measures(self) -> dict:
        """Returns what was measured of a finished run."""
        return _read(self.folder / MEASURES_FILE)

    def results(self) -> dict:
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


def _read(path):
    try:
        return json.loads(path.read_text())
    except ValueError:
        raise ValueError(
            f"{path} is broken: remove its folder, and run again."
        ) from None
