"""A comparison, planned: checked whole before the first run, and known again."""

import dataclasses
import json
import os
import tempfile
import types
from pathlib import Path

import yaml

from grw_tf.comparison.config import ComparisonConfig
from grw_tf.comparison.run import EXPERIMENT_FILE, MODEL_FILE, Run
from grw_tf.comparison.timing import Timing
from grw_tf.comparison.variants import (
    GRW_INTERMEDIATE,
    Variant,
    check_endpoint,
    make_variant,
    split_names,
    with_shared_head,
)
from grw_tf.data.evaluation_records import EvaluationRecords
from grw_tf.data.manifest import write_json
from grw_tf.data.replacing import replacing
from grw_tf.data.sequence_examples import check_records
from grw_tf.evaluation.output_folder import check_writable
from grw_tf.experiments.parsing import parse_experiment
from grw_tf.experiments.yaml_config import frozen
from grw_tf.models import ModelConfig
from grw_tf.tasks.video_classification import Task

PLAN_FILE = "comparison.json"
_TIMING_FILE = "timing.json"
_STRATEGIES = ("one_device", "mirrored")


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
        chosen_by = self.shared["task"]["validation_data"]["input_path"]
        if not chosen_by:
            return False
        return bool(
            set(check_records(chosen_by)) & set(check_records(self.test_records))
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
            unfinished.write_text(_yaml(self.shared, variant, run.seed))

    def timing(self) -> Timing:
        """Returns what there is to time, of the variants that have run."""
        first = [self.run(variant, self.seeds[0]) for variant in self.variants]
        files = {run.variant: run.folder / MODEL_FILE for run in first}
        return Timing(
            file=self.folder / _TIMING_FILE,
            configs={variant.name: variant.config for variant in self.variants},
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
        begun = _flat(json.loads(file.read_text()))
        differing = [
            f"{key} {begun.get(key)!r:.80}, not {value!r:.80}"
            for key, value in _flat(now).items()
            if begun.get(key) != value
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


def make_plan(options, config: ComparisonConfig) -> Plan:
    """Plans a comparison, and checks all that can be wrong with it.

    Args:
      options: the Model Garden's flags experiment, config_file, params_override, tpu.
      config: what to compare.

    Raises:
      ValueError: if the experiment, a variant or the records make no sense.
      OSError: if something cannot be read or written.
    """
    check_writable(Path(config.output_dir))
    names = split_names(config.variants)
    params = parse_experiment(options)
    _check_machine(params.runtime)
    asked = frozen(params.task.model, ModelConfig)
    shared_model = with_shared_head(asked, names)
    if config.intermediate_layer:
        if not any(GRW_INTERMEDIATE in name.split("+") for name in names):
            raise ValueError(
                f"--intermediate_layer={config.intermediate_layer} does nothing without"
                f" the variant {GRW_INTERMEDIATE}."
            )
        check_endpoint(shared_model, config.intermediate_layer)
    variants = tuple(
        make_variant(name, shared_model, config.intermediate_layer) for name in names
    )
    first_seed = params.task.seed
    shared = _shared(params, shared_model)
    for variant in variants:
        _check_experiment(options.experiment, _yaml(shared, variant, first_seed))
    class_names = Task(params.task).open_sources(train=True, evaluate=True)
    test_records = _test_records(config, params)
    if EvaluationRecords(test_records, shared_model).class_names != class_names:
        raise ValueError(
            f"{test_records} has other classes than the clips to train on: make the"
            " records together, or with the same --labels."
        )
    return Plan(
        config=config,
        experiment=options.experiment,
        shared=shared,
        model_config=shared_model,
        variants=variants,
        seeds=tuple(range(first_seed, first_seed + config.seeds)),
        test_records=test_records,
        class_names=class_names,
        remarks=tuple(_remarks(params, asked, shared_model, names)),
    )


def _check_machine(runtime):
    strategy = str(runtime.distribution_strategy).lower()
    if strategy not in _STRATEGIES or os.environ.get("TF_CONFIG"):
        raise ValueError(
            f"runtime.distribution_strategy is {strategy}"
            f"{' with TF_CONFIG' if os.environ.get('TF_CONFIG') else ''}: comparisons"
            f" run on one machine, by {' or '.join(_STRATEGIES)}."
        )


def _test_records(config, params):
    records = config.test_records or params.task.validation_data.input_path
    if not records:
        raise ValueError(
            "task.validation_data names no records to compare on: give --test_records."
        )
    return records


def _shared(params, model_config):
    """Returns what all runs share of an experiment's config, as JSON holds it."""
    shared = json.loads(json.dumps(params.as_dict()))
    shared["task"]["model"] = json.loads(model_config.to_json())
    # What another number of runs with other seeds does not change.
    del shared["task"]["seed"]
    # All have the same budget, whatever becomes of them.
    shared["trainer"]["early_stopping_patience"] = 0
    return shared


def _yaml(shared, variant, seed):
    """Returns the experiment of one run as YAML."""
    model = json.loads(variant.config.to_json())
    task = shared["task"] | {"model": model, "seed": seed}
    return yaml.safe_dump(shared | {"task": task}, sort_keys=False)


def _check_experiment(experiment, text):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(text)
        file.flush()
        parse_experiment(
            types.SimpleNamespace(
                experiment=experiment,
                config_file=[file.name],
                params_override="",
                tpu="",
                mode="train_and_eval",
            )
        )


def _remarks(params, asked, shared, names):
    if asked.head != shared.head:
        yield (
            f"The config's head is {asked.head.type}, which has no final embeddings to"
            f" smooth: all variants, the baseline too, have a {shared.head.type} head."
        )
    methods = set(asked.regularization.methods)
    unnamed = sorted(methods - {part for name in names for part in name.split("+")})
    if unnamed:
        yield (
            f"The config's {' and '.join(unnamed)} acts in no variant, as none names"
            " it."
        )
    if params.trainer.early_stopping_patience:
        yield (
            "Early stopping is off, so that all variants are trained for the same"
            " number of steps."
        )
    if not params.trainer.best_checkpoint_export_subdir:
        yield (
            "No best checkpoint is kept: what is compared is the end of each training."
        )


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
