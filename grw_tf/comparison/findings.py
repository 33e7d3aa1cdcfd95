"""The findings of a comparison: every number of its report, and their JSON form."""

import dataclasses
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from grw_tf.common.paired_timing import Ratio
from grw_tf.evaluation.paired_statistics import ClipDifference, Interval

FINISHED, FAILED, NOT_RUN = "finished", "failed", "not run yet"
"""The states of a run."""

_OMITTED = {"omitted if None": True}
"""Metadata of fields that the JSON lacks where they are None."""


@dataclasses.dataclass(frozen=True)
class VariantFound:
    """A variant.

    Attributes:
        name: Its name.
        acts: What acts in its training, in words.
        layers: Where it smooths.
        methods: Its regularizers.
    """

    name: str
    acts: str
    layers: tuple[str, ...]
    methods: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class RunFound:
    """A run: what it is, and if it has finished, what it came to.

    Attributes:
        variant, seed, folder: Which run, and where.
        state: "finished", "failed" or "not run yet".
        reason: Why it failed; else "".
        start: Fingerprints of the weights and clips that it started from.
        steps: How many training steps it took.
        checkpoint_step: Of the checkpoint that was measured; None for the last one.
        embedding: The place whose embeddings were measured.
        window: Frames of a window of the order accuracy.
        numbers: Its metrics by key.
        clips_per_second: By the training's log.
    """

    variant: str
    seed: int
    folder: str
    state: str
    reason: str = ""
    start: dict[str, Any] | None = None
    steps: int | None = None
    checkpoint_step: int | None = None
    embedding: str | None = None
    window: int | None = None
    numbers: dict[str, float | None] = field(default_factory=dict)
    clips_per_second: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns the run as JSON holds it, its metrics beside the rest."""
        found = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        numbers = found.pop("numbers")
        if self.state == FINISHED:
            return found | numbers
        return {k: found[k] for k in ("variant", "seed", "folder", "state", "reason")}


@dataclasses.dataclass(frozen=True)
class ComparedClips:
    """The clips that variants are compared on.

    Attributes:
        records: What they are: paths of records, or a TFDS data set and its split.
        is_validation: Whether checkpoints were chosen by them.
        is_training: Whether some are trained on.
        classes: Names of the classes.
        clips: How many there are; 0 before any run has finished.
        majority: The most frequent class.
        majority_share: Its share of the clips.
    """

    records: str
    is_validation: bool
    is_training: bool
    classes: tuple[str, ...]
    clips: int = 0
    majority: str | None = field(default=None, metadata=_OMITTED)
    majority_share: float | None = field(default=None, metadata=_OMITTED)


@dataclasses.dataclass(frozen=True)
class Difference:
    """A difference to the baseline, paired by seed, and judged.

    Attributes:
        interval, deviation, p_value, seeds: See `SeedDifference`.
        adjusted_p_value: After Holm's adjustment for the number of variants.
        shown: Whether it counts as shown.
    """

    interval: Interval
    deviation: float | None
    p_value: float | None
    seeds: int
    adjusted_p_value: float | None = None
    shown: bool = False


@dataclasses.dataclass(frozen=True)
class MetricFound:
    """A metric of a variant.

    Attributes:
        values: By seed; None where there is none.
        mean: Over the seeds that have one.
        deviation: The standard deviation over them; None for fewer than two.
        difference: To the baseline, over the seeds that both have finished.
    """

    values: tuple[float | None, ...]
    mean: float | None
    deviation: float | None
    difference: Difference | None = field(default=None, metadata=_OMITTED)


@dataclasses.dataclass(frozen=True)
class ClassChange:
    """How a variant predicts the clips of a class.

    Attributes:
        right: How many are right, mean over the seeds.
        change: To the baseline, mean over the seeds.
        mended: Predictions of all seeds that are right where the baseline's is wrong.
        broken: Predictions of all seeds that are wrong where the baseline's is right.
    """

    right: float
    change: float
    mended: int
    broken: int


@dataclasses.dataclass(frozen=True)
class ClassFound:
    """A class: how many test clips it has, and what variants make of them."""

    name: str
    clips: int
    variants: dict[str, ClassChange]


@dataclasses.dataclass(frozen=True)
class Band:
    """A curve: its mean, lowest and highest value over runs."""

    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    runs: int
    steps: tuple[int, ...] | None = field(default=None, metadata=_OMITTED)


@dataclasses.dataclass(frozen=True)
class StreamingFound:
    """Accuracy after each frame, of frames at `fps` a second, by variant."""

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
    """Embeddings of a variant on their two principal components, scaled to fill.

    Attributes:
        shares: Of the variance, by component.
        paths: Points [2] of the frames of each example clip.
        cloud: Points [2] of frames of all clips.
    """

    shares: tuple[float, ...]
    paths: list[list[list[float]]]
    cloud: list[list[float]]


@dataclasses.dataclass(frozen=True)
class TrajectoriesFound:
    """How embeddings of some test clips move.

    Attributes:
        seed: Of the runs.
        embedding: The place of the network.
        clips: How many clips the components are of.
        examples: The clips that are drawn as paths.
        thumbnails: Frames of each as JPEG in base64.
        panels: By variant.
    """

    seed: int
    embedding: str
    clips: int
    examples: tuple[ExampleClip, ...]
    thumbnails: list[list[str]]
    panels: dict[str, Panel]


@dataclasses.dataclass(frozen=True)
class ExportFound:
    """An exported file, or why there is none.

    Attributes:
        refused: Why there is none; the other fields are None then.
        quantization, megabytes, operations: Of the file.
        milliseconds: A frame, with a classification after each.
        largest_difference, clip_difference, conversion_difference: See `Parity`.
        agreement, streams, frames, clips, passed, failures: See `Parity`.
    """

    refused: str | None = field(default=None, metadata=_OMITTED)
    quantization: str | None = field(default=None, metadata=_OMITTED)
    megabytes: float | None = field(default=None, metadata=_OMITTED)
    operations: int | None = field(default=None, metadata=_OMITTED)
    milliseconds: float | None = field(default=None, metadata=_OMITTED)
    largest_difference: float | None = field(default=None, metadata=_OMITTED)
    clip_difference: float | None = field(default=None, metadata=_OMITTED)
    conversion_difference: float | None = field(default=None, metadata=_OMITTED)
    agreement: float | None = field(default=None, metadata=_OMITTED)
    streams: int | None = field(default=None, metadata=_OMITTED)
    frames: int | None = field(default=None, metadata=_OMITTED)
    clips: str | None = field(default=None, metadata=_OMITTED)
    passed: bool | None = field(default=None, metadata=_OMITTED)
    failures: tuple[str, ...] | None = field(default=None, metadata=_OMITTED)


@dataclasses.dataclass(frozen=True)
class CostFound:
    """What a variant costs; ratios are to the baseline.

    Attributes:
        clips_per_second: By the trainings' logs.
        seconds_per_step, step_ratio: Of a training step.
        milliseconds_per_frame, frame_ratio: Of a frame of the exported file.
        export: The exported file.
    """

    clips_per_second: float | None
    seconds_per_step: float | None = field(default=None, metadata=_OMITTED)
    step_ratio: Ratio | None = field(default=None, metadata=_OMITTED)
    milliseconds_per_frame: float | None = field(default=None, metadata=_OMITTED)
    frame_ratio: Ratio | None = field(default=None, metadata=_OMITTED)
    export: ExportFound | None = field(default=None, metadata=_OMITTED)


@dataclasses.dataclass(frozen=True)
class CostsFound:
    """Costs by variant, and how they were taken.

    Attributes:
        by_variant: The costs.
        batch_size: Clips of a timed training step.
        rounds: How often each step and frame was timed.
        seed: Of the exported files.
    """

    by_variant: dict[str, CostFound]
    batch_size: int
    rounds: int
    seed: int


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Findings in words.

    Attributes:
        headline: A few words.
        sentences: Below it.
        variants: Sentences by variant.
        limits: What cannot be concluded.
    """

    headline: str
    sentences: tuple[str, ...]
    variants: dict[str, tuple[str, ...]]
    limits: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Findings:
    """What a comparison has found.

    Attributes:
        command: The command line.
        written: When.
        seeds: Those that were looked at.
        planned_seeds: How many were asked for.
        variants: The variants, the baseline first.
        runs: The runs, seed by seed.
        test: The clips compared on.
        metrics: By key of the metric, by variant.
        clips: Differences paired by clip, by variant but for the baseline.
        classes: The classes, those that change most first.
        streaming: Accuracy after each frame.
        training: Curves by title, by split, by variant.
        trajectories: Paths of embeddings; None before the baseline has any.
        costs: What variants cost.
        remarks: What was changed of the config, in words.
        model: The config of the baseline's model.
        config: The experiment of the baseline.
        experiment: Its name.
        versions: Of Python, packages and machine.
        verdict: All of it in words.
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
    verdict: Verdict | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns the findings as JSON holds them."""
        return {
            each.name: _json_of(getattr(self, each.name))
            for each in dataclasses.fields(self)
        }

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
            each.name: _json_of(getattr(value, each.name))
            for each in dataclasses.fields(value)
            if not (each.metadata and getattr(value, each.name) is None)
        }
    if isinstance(value, Mapping):
        return {key: _json_of(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json_of(inner) for inner in value]
    return value
