"""The findings of a comparison: every number of its report, and their JSON form."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from grw_tf.comparison.timing import Times
from grw_tf.evaluation.paired_statistics import ClipDifference, SeedDifference

FINISHED, FAILED, NOT_RUN = "finished", "failed", "not run yet"
"""The states of a run."""


class Sparse:
    """A dataclass whose JSON lacks the fields that have the default None."""


@dataclasses.dataclass(frozen=True)
class VariantFound:
    """A variant.

    Attributes:
        name: Its name.
        acts: What acts in its training, in words.
        changed: What its config has other than the baseline's, by key with dots.
        layers: Where it smooths.
        methods: Its regularizers.
    """

    name: str
    acts: str
    changed: dict[str, Any]
    layers: tuple[str, ...]
    methods: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class RunFound:
    """A run, and if it has finished, its results.

    Attributes:
        reason: Why it failed, or "".
        start: Fingerprints of the initial weights and of the first clips.
        steps: The number of training steps.
        checkpoint_step: The step of the checkpoint that was measured; None for the
            last one.
        embedding: The place in the network whose embeddings were measured.
        window: Frames in a window of the order accuracy.
        numbers: Metrics by key.
        clips_per_second: The speed in the training's log.
        right: Which test clips are predicted correctly, as text of `pack`.
    """

    variant: str
    seed: int
    folder: str
    state: str
    reason: str = ""
    start: dict[str, str] = dataclasses.field(default_factory=dict)
    steps: int = 0
    checkpoint_step: int | None = None
    embedding: str | None = None
    window: int | None = None
    numbers: dict[str, float | None] = dataclasses.field(default_factory=dict)
    clips_per_second: float | None = None
    right: str = ""

    def to_json(self) -> dict[str, Any]:
        """Returns the run as JSON holds it, its metrics beside the rest."""
        found = {**vars(self)}
        numbers = found.pop("numbers")
        if self.state == FINISHED:
            return found | numbers
        return {k: found[k] for k in ("variant", "seed", "folder", "state", "reason")}


@dataclasses.dataclass(frozen=True)
class ComparedClips(Sparse):
    """The clips that variants are compared on.

    Attributes:
        records: Paths of records, or a TFDS data set and its split.
        is_validation: Whether checkpoints were chosen by them.
        is_training: Whether some are trained on.
        clips: Their number; 0 before any run has finished.
        fingerprint: A hash of their names and labels.
        majority: The most frequent class, with `majority_share` of the clips. With
            several labels a clip there is none, and the share is the mean share of the
            clips that have a class: the mAP of random scores.
    """

    records: str
    is_validation: bool
    is_training: bool
    classes: tuple[str, ...]
    clips: int = 0
    fingerprint: str | None = None
    majority: str | None = None
    majority_share: float | None = None


@dataclasses.dataclass(frozen=True)
class Difference(SeedDifference):
    """A difference from the baseline, paired by seed, and judged.

    Attributes:
        adjusted_p_value: The p-value after Holm's adjustment for several variants.
        shown: Whether the difference counts as shown.
    """

    adjusted_p_value: float | None
    shown: bool


@dataclasses.dataclass(frozen=True)
class MetricFound(Sparse):
    """A metric of a variant.

    Attributes:
        values: The values by seed; None for a seed without one.
        mean, deviation: Mean and standard deviation over the seeds that have a value;
            the latter is None for fewer than two.
        difference: The difference from the baseline, over the seeds that both finished.
    """

    values: tuple[float | None, ...]
    mean: float | None
    deviation: float | None
    difference: Difference | None = None


@dataclasses.dataclass(frozen=True)
class ClassChange:
    """A variant's predictions for the clips of a class.

    Attributes:
        right: Mean number of correct predictions over seeds.
        change: Its difference from the baseline's.
        mended, broken: Predictions over all seeds that are right where the baseline's
            are wrong, and wrong where they are right.
    """

    right: float
    change: float
    mended: int
    broken: int


@dataclasses.dataclass(frozen=True)
class ClassFound:
    """A class, the number of its test clips, and the variants' predictions."""

    name: str
    clips: int
    variants: dict[str, ClassChange]


@dataclasses.dataclass(frozen=True)
class Band(Sparse):
    """A curve: the mean, lowest and highest values over runs."""

    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    runs: int
    steps: tuple[int, ...] | None = None


@dataclasses.dataclass(frozen=True)
class StreamingFound:
    """Accuracy after each frame by variant, at `fps` frames a second."""

    fps: float
    curves: dict[str, Band]


@dataclasses.dataclass(frozen=True)
class ExampleClip:
    """A test clip: its name, its class, and what each variant predicts."""

    name: str
    label: str
    predicted: dict[str, str]


@dataclasses.dataclass(frozen=True)
class Panel:
    """Embeddings of a variant on their two principal components, scaled to -1..1.

    Attributes:
        shares: Each component's share of the variance.
        paths: Points [2] of each example clip's frames.
        cloud: Points [2] of frames of all clips.
    """

    shares: tuple[float, ...]
    paths: list[list[list[float]]]
    cloud: list[list[float]]


@dataclasses.dataclass(frozen=True)
class TrajectoriesFound:
    """How embeddings of some test clips move.

    Attributes:
        seed: The seed of the runs.
        embedding: The place in the network.
        clips: The number of clips whose components these are.
        examples: The clips that are drawn as paths.
        thumbnails: Frames of each example as JPEG in base64.
        panels: The embeddings by variant.
    """

    seed: int
    embedding: str
    clips: int
    examples: tuple[ExampleClip, ...]
    thumbnails: list[list[str]]
    panels: dict[str, Panel]


@dataclasses.dataclass(frozen=True)
class ExportFound(Sparse):
    """An exported file, or the reason `refused` why there is none.

    For the fields from `milliseconds` on, see `Parity` and `Regret`; a file that
    classifies whole clips has a `count` of them in place of streams (`ClipParity`).
    """

    refused: str | None = None
    quantization: str | None = None
    megabytes: float | None = None
    operations: int | None = None
    milliseconds: float | None = None
    largest_difference: float | None = None
    clip_difference: float | None = None
    conversion_difference: float | None = None
    agreement: float | None = None
    streams: int | None = None
    count: int | None = None
    frames: int | None = None
    clips: str | None = None
    passed: bool | None = None
    failures: tuple[str, ...] | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class CostFound(Times, Sparse):
    """What a variant costs.

    Attributes:
        clips_per_second: The median speed of its trainings, from their logs.
        export: The exported file.
    """

    clips_per_second: float | None
    export: ExportFound | None = None


@dataclasses.dataclass(frozen=True)
class CostsFound:
    """Costs by variant, and how they were measured.

    Attributes:
        by_variant: The costs.
        batch_size: Clips in a timed training step.
        rounds: How often each step and frame was timed.
        seed: The seed of the exported files.
    """

    by_variant: dict[str, CostFound]
    batch_size: int
    rounds: int
    seed: int


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Findings in words, in all and by variant; `limits` says what they do not show."""

    headline: str
    sentences: tuple[str, ...]
    variants: dict[str, tuple[str, ...]]
    limits: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Findings:
    """What a comparison has found.

    Attributes:
        command: The command line.
        written: When the report was written.
        seeds: The seeds in the report.
        planned_seeds: The number of seeds that were asked for.
        variants: The variants, the baseline first.
        runs: The runs, seed by seed.
        test: The clips that variants are compared on.
        metrics: Metrics by key, by variant.
        clips: Differences paired by clip, by variant except the baseline.
        classes: The classes, those that change most first.
        training: Curves by title, by split, by variant.
        trajectories: Paths of embeddings; None before the baseline has any.
        remarks: What the comparison changed in the config, in words.
        model, config, experiment: The baseline's model, its whole config, and the name
            of the experiment.
        versions: Versions of Python and packages, and the machine.
        verdict: The findings in words; empty before `judge`.
    """

    command: str
    written: str
    seeds: tuple[int, ...]
    planned_seeds: int
    variants: tuple[VariantFound, ...]
    runs: tuple[RunFound, ...]
    test: ComparedClips
    metrics: dict[str, dict[str, MetricFound]]
    clips: dict[str, ClipDifference | None]
    classes: tuple[ClassFound, ...]
    streaming: StreamingFound
    training: dict[str, dict[str, dict[str, Band]]]
    trajectories: TrajectoriesFound | None
    costs: CostsFound
    remarks: tuple[str, ...]
    model: dict[str, Any]
    config: dict[str, Any]
    experiment: str
    versions: dict[str, str]
    verdict: Verdict = Verdict("", (), {}, ())

    def to_json(self) -> dict[str, Any]:
        """Returns the findings as JSON holds them."""
        return _json_of(self)

    def failures(self) -> list[str]:
        """Returns why runs failed, one line each."""
        failed = [run for run in self.runs if run.state == FAILED]
        return [f"{run.variant}, seed {run.seed}: {run.reason}" for run in failed]

    def differences(self, key: str) -> dict[str, Difference]:
        """Returns the differences of a metric by variant, where there are any."""
        return {
            name: found.difference
            for name, found in self.metrics.get(key, {}).items()
            if found.difference
        }


def _json_of(value):
    if isinstance(value, RunFound):
        value = value.to_json()
    if dataclasses.is_dataclass(value):
        return {
            each.name: _json_of(inner)
            for each in dataclasses.fields(value)
            if (inner := getattr(value, each.name)) is not None
            or each.default is not None
            or not isinstance(value, Sparse)
        }
    if isinstance(value, Mapping):
        return {key: _json_of(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json_of(inner) for inner in value]
    return value
