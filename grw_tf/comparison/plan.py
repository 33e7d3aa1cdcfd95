"""A comparison, planned: what its runs are, and how it is known again."""

import dataclasses
import json
import os
from pathlib import Path

import yaml

from grw_tf.common.json_file import write_json
from grw_tf.common.replacing import replacing
from grw_tf.comparison.config import ComparisonConfig
from grw_tf.comparison.run import EXPERIMENT_FILE, MODEL_FILE, Run
from grw_tf.comparison.timing import Timing
from grw_tf.comparison.variants import BASELINE, Variant
from grw_tf.data.records.sequence_examples import check_records
from grw_tf.models import ModelConfig

PLAN_FILE = "comparison.json"
_TIMING_FILE = "timing.json"


@dataclasses.dataclass(frozen=True)
class Plan:
    """A comparison.

    Attributes:
      config: what was asked for.
      experiment: name of the experiment.
      shared: all of its config that runs share, as nested dicts.
      model_config: the model but for what variants change.
      variants: the variants, the baseline first.
      seeds: the seeds, in the order of runs.
      test_records: records to compare on.
      class_names: names of the classes.
      remarks: what was changed of the config for the comparison, in words.
    """

    config: ComparisonConfig
    experiment: str
    shared: dict
    model_config: ModelConfig
    variants: tuple[Variant, ...]
    seeds: tuple[int, ...]
    test_records: str
    class_names: tuple[str, ...]
    remarks: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Folder of the report and all runs."""
        return Path(self.config.output_dir)

    @property
    def test_is_validation(self) -> bool:
        """Whether the test clips are those by which checkpoints were chosen."""
        return self._tests_on("validation_data")

    @property
    def test_is_training(self) -> bool:
        """Whether test clips are trained on."""
        return self._tests_on("train_data")

    def _tests_on(self, data):
        records = self.shared["task"][data]["input_path"]
        if not records:
            return False
        return not {*check_records(records)}.isdisjoint(
            check_records(self.test_records)
        )

    def run(self, variant: Variant, seed) -> Run:
        """Returns one run."""
        return Run(
            folder=self.folder / f"seed_{seed}" / variant.name,
            variant=variant.name,
            seed=seed,
            experiment=self.experiment,
            test_records=self.test_records,
            batch_size=self.shared["task"]["validation_data"]["global_batch_size"],
            # One is enough: what a file costs does not depend on the weights.
            export_as=self.config.quantization if seed == self.seeds[0] else "",
        )

    def runs(self) -> list[Run]:
        """Returns all runs, seed by seed."""
        return [self.run(v, seed) for seed in self.seeds for v in self.variants]

    def prepare(self, run: Run) -> None:
        """Writes the experiment of a run into its folder."""
        run.folder.mkdir(parents=True, exist_ok=True)
        variant = next(v for v in self.variants if v.name == run.variant)
        with replacing(run.folder / EXPERIMENT_FILE) as unfinished:
            unfinished.write_text(experiment_yaml(self.shared, variant, run.seed))

    def timing(self) -> Timing:
        """Returns what there is to time, of the variants that have finished a seed.

        The baseline is among them always, as ratios are to it.
        """
        finished = {BASELINE} | {run.variant for run in self.runs() if run.finished}
        first = [self.run(variant, self.seeds[0]) for variant in self.variants]
        files = {run.variant: run.folder / MODEL_FILE for run in first}
        return Timing(
            file=self.folder / _TIMING_FILE,
            configs={v.name: v.config for v in self.variants if v.name in finished},
            files={name: file for name, file in files.items() if file.exists()},
            batch_size=self.shared["task"]["train_data"]["global_batch_size"],
            rounds=self.config.timing_rounds,
        )

    def claim(self) -> None:
        """Writes down what is compared, or checks that it is what was begun there.

        Other variants and more seeds may join; all else must be the same.

        Raises:
          ValueError: if another comparison was begun there.
        """
        file = self.folder / PLAN_FILE
        now = {
            "experiment": self.experiment,
            "config": self.shared,
            "intermediate_layer": self.config.intermediate_layer,
            "test_records": self.test_records,
            "quantization": self.config.quantization,
            "first_seed": self.seeds[0],
            "files": self._files(),
        }
        if not file.exists():
            write_json(file, now)
            return
        begun, asked = _flat(_read_plan(file)), _flat(now)
        differing = [
            f"{key} {begun.get(key)!r:.80}, not {asked.get(key)!r:.80}"
            for key in asked | begun
            if begun.get(key) != asked.get(key)
        ]
        if differing:
            raise ValueError(
                f"{self.folder} was begun with {'; '.join(differing[:5])}: give another"
                " --output_dir, or remove that one."
            )

    def _files(self):
        """Returns the sizes of all records by their paths, by which they are known."""
        data = self.shared["task"]
        patterns = {
            data["train_data"]["input_path"],
            data["validation_data"]["input_path"],
            self.test_records,
        }
        paths = {
            path
            for pattern in filter(None, patterns)
            for path in check_records(pattern)
        }
        return {path: os.stat(path).st_size for path in sorted(paths) if _local(path)}


def experiment_yaml(shared, variant, seed):
    """Returns the experiment of one run as YAML."""
    model = json.loads(variant.config.to_json())
    task = shared["task"] | {"model": model, "seed": seed}
    return yaml.safe_dump(shared | {"task": task}, sort_keys=False)


def _read_plan(file):
    try:
        return json.loads(file.read_text())
    except ValueError:
        raise ValueError(
            f"{file} is broken: give another --output_dir, or remove its folder."
        ) from None


def _flat(values, path=""):
    if not isinstance(values, dict):
        return {path: values}
    return {
        key: value
        for name, inner in values.items()
        for key, value in _flat(inner, f"{path}.{name}" if path else name).items()
    }


def _local(path):
    return "://" not in path
