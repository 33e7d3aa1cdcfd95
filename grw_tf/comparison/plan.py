"""A planned comparison: what its runs are, and how its folder is known again."""

import dataclasses
import itertools
import json
import re
from pathlib import Path

import yaml

from grw_tf.common.json_file import write_json
from grw_tf.common.replacing import replacing
from grw_tf.comparison.config import ComparisonConfig
from grw_tf.comparison.fragments import BASELINE
from grw_tf.comparison.run import EXPERIMENT_FILE, MODEL_FILE, Run
from grw_tf.comparison.timing import Timing
from grw_tf.comparison.variants import Variant
from grw_tf.data.clip_set import ClipSet
from grw_tf.training.experiments.parsing import leaves

PLAN_FILE = "comparison.json"
_TIMING_FILE = "timing.json"


@dataclasses.dataclass(frozen=True)
class Plan:
    """A comparison.

    Attributes:
        config: What was asked for.
        experiment: The name of the experiment.
        variants: The variants, the baseline first.
        seeds: The seeds, in the order of runs.
        test_clips: The clips to compare on.
        remarks: What the comparison changed in the config, in words.
    """

    config: ComparisonConfig
    experiment: str
    variants: tuple[Variant, ...]
    seeds: tuple[int, ...]
    test_clips: ClipSet
    class_names: tuple[str, ...]
    remarks: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Folder of the report and all runs."""
        return Path(self.config.output_dir)

    @property
    def baseline(self) -> Variant:
        """The variant that all others are compared with."""
        return self.variants[0]

    @property
    def train_clips(self) -> ClipSet:
        """The clips to train on."""
        return self._clips("train_data")

    @property
    def test_is_validation(self) -> bool:
        """Whether the test clips are those by which checkpoints were chosen."""
        trainer = self.baseline.experiment["trainer"]
        several = trainer["validation_interval"] < trainer["train_steps"]
        chooses = several and trainer["best_checkpoint_export_subdir"]
        clips = self._clips("validation_data")
        return bool(chooses and clips and clips.overlaps(self.test_clips))

    @property
    def test_is_training(self) -> bool:
        """Whether test clips are trained on."""
        return self.train_clips.overlaps(self.test_clips)

    def _clips(self, data):
        return ClipSet.of(self.baseline.experiment["task"][data])

    def run(self, variant: Variant, seed: int) -> Run:
        """Returns one run."""
        task = self.baseline.experiment["task"]
        return Run(
            folder=self.folder / f"seed_{seed}" / _file_name(variant.name),
            variant=variant.name,
            seed=seed,
            experiment=self.experiment,
            train_clips=self.train_clips,
            test_clips=self.test_clips,
            batch_size=task["validation_data"]["global_batch_size"],
            window=self.baseline.config.smoothing.window,
            # One is enough: what a file costs does not depend on the weights.
            export_as=self.config.quantization if seed == self.seeds[0] else "",
            robustness=self.config.robustness,
        )

    def runs(self) -> list[Run]:
        """Returns all runs, seed by seed."""
        return [self.run(v, seed) for seed in self.seeds for v in self.variants]

    def prepare(self, run: Run) -> None:
        """Writes the experiment of a run into its folder."""
        run.folder.mkdir(parents=True, exist_ok=True)
        variant = next(v for v in self.variants if v.name == run.variant)
        task = variant.experiment["task"] | {"seed": run.seed}
        experiment = variant.experiment | {"task": task}
        with replacing(run.folder / EXPERIMENT_FILE) as unfinished:
            unfinished.write_text(yaml.safe_dump(experiment, sort_keys=False))

    def timing(self) -> Timing:
        """Returns what there is to time, of the variants that have finished a seed.

        The baseline is always among them, as ratios are to it.
        """
        finished = {BASELINE} | {run.variant for run in self.runs() if run.finished}
        first = [self.run(variant, self.seeds[0]) for variant in self.variants]
        # Files of base models have no frames to time.
        causal = self.baseline.config.backbone.causal
        files = {run.variant: run.folder / MODEL_FILE for run in first if causal}
        data = self.baseline.experiment["task"]["train_data"]
        return Timing(
            file=self.folder / _TIMING_FILE,
            configs={v.name: v.config for v in self.variants if v.name in finished},
            files={name: file for name, file in files.items() if file.exists()},
            batch_size=data["global_batch_size"],
            rounds=self.config.timing_rounds,
        )

    def claim(self) -> None:
        """Records what is compared, or checks that it is what was begun in the folder.

        Variants and seeds may be added; all else must be the same.

        Raises:
            ValueError: If another comparison was begun there.
        """
        file = self.folder / PLAN_FILE
        now = {
            "experiment": self.experiment,
            "config": self.baseline.experiment,
            "variants": {v.name: v.changed for v in self.variants},
            "test_clips": dataclasses.asdict(self.test_clips),
            "quantization": self.config.quantization,
            "first_seed": self.seeds[0],
            "files": self._sizes(),
        }
        if file.exists():
            begun = _read_plan(file)
            joined = begun["variants"] | now["variants"]
            both = begun["variants"].keys() & now["variants"].keys()
            _check_same(
                file,
                *(
                    plan | {"variants": {n: plan["variants"][n] for n in both}}
                    for plan in (begun, now)
                ),
            )
            now["variants"] = joined
        write_json(file, now)

    def _sizes(self):
        """Returns the sizes of all files by their paths, by which they are known."""
        sets = {*map(self._clips, ("train_data", "validation_data")), self.test_clips}
        sizes = [clips.sizes().items() for clips in sets if clips]
        return dict(sorted({*itertools.chain(*sizes)}))


def _check_same(file, begun, asked):
    begun, asked = dict(leaves(begun)), dict(leaves(json.loads(json.dumps(asked))))
    differing = [
        f"{key} {begun.get(key)!r:.80}, not {asked.get(key)!r:.80}"
        for key in asked | begun
        if begun.get(key) != asked.get(key)
    ]
    if differing:
        raise ValueError(
            f"{file.parent} was begun with {'; '.join(differing[:5])}: give another"
            " --output_dir, or remove that one."
        )


def _read_plan(file):
    try:
        return json.loads(file.read_text())
    except ValueError:
        raise ValueError(
            f"{file} is broken: give another --output_dir, or remove its folder."
        ) from None


def _file_name(variant):
    """Returns the name of a variant's folder, without what patterns of files mean."""
    return re.sub(r"[^\w.+:=-]", "_", variant)
