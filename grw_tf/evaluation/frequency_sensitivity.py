"""Measures how much models rely on the low and high frequencies of their features.

Source: Kim et al., Regularization on Spatio-Temporally Smoothed Feature for Action
Recognition, CVPR 2020, Figures 1 and 4.
"""

import dataclasses
import functools
import math
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf
import tqdm

from grw_tf.common.checks import check_positive
from grw_tf.common.csv_file import write_csv
from grw_tf.common.flags import option
from grw_tf.common.output_folder import check_writable
from grw_tf.common.replacing import replacing
from grw_tf.data.records.evaluation_records import EvaluationRecords
from grw_tf.evaluation.component_scaling import ScaledModel, logits_function
from grw_tf.evaluation.inference import check_one_label
from grw_tf.evaluation.measures import check_predictions, likeliest
from grw_tf.evaluation.predictions import write_results
from grw_tf.evaluation.rms_options import RMSOptions, listed
from grw_tf.figures.sensitivity import draw_sensitivity
from grw_tf.models.regularization_config import RMSConfig
from grw_tf.weights.run_directory import load_best

RESULTS_FILE = "results.json"
TABLE_FILE = "accuracy_by_scale.csv"
FIGURE_FILE = "accuracy_by_scale.png"

COMPONENTS = {"low": "mean", "high": "residual"}
"""The names that `RandomMeanScaling` has for the low and the high frequencies."""

_UNSCALED = "unscaled"
_STEPS_OF_A_RANGE = 9


@dataclasses.dataclass(frozen=True)
class SensitivityConfig(RMSOptions):
    """What to measure; each is a flag."""

    checkpoint_dir: str = option(
        "",
        "--model_dir of a training, or a checkpoint that records its config. Several,"
        " separated by commas, share a figure.",
    )
    records: str = option("", "Records to measure on: records/test-*.tfrecord.")
    output_dir: str = option("", "Folder for results, a table and the figure.")
    scales: str = option(
        "0..2",
        "Factors of the low or the high frequencies: numbers separated by commas, or a"
        f" range, in {_STEPS_OF_A_RANGE} even steps.",
    )
    filter: str = option(
        RMSConfig().filter,
        "Filter of the low frequencies: mean, or gaussian (weighted by distance).",
    )
    batch_size: int = option(8, "Clips in a batch.")

    def __post_init__(self):
        check_positive(batch_size=self.batch_size)
        parse_scales(self.scales)
        self.rms(self.filter)
        if "://" in self.output_dir:
            raise ValueError(
                f"output_dir is {self.output_dir}: results go to a local folder, copy"
                " them from there."
            )
        places = {os.path.normpath(path) for path in self.checkpoint_dirs}
        if not places or len(places) < len(self.checkpoint_dirs):
            raise ValueError(
                f"checkpoint_dir is {self.checkpoint_dir!r}: name each model once."
            )

    @property
    def checkpoint_dirs(self) -> tuple[str, ...]:
        """The checkpoints to measure."""
        return listed(self.checkpoint_dir)


@dataclasses.dataclass(frozen=True)
class Sensitivity:
    """The accuracy of a model with one component of its features scaled.

    Attributes:
        unscaled: The accuracy of the model itself.
        scales: The factors of the components.
        low, high: The accuracy at each factor of the low and the high frequencies.
    """

    name: str
    clips: int
    unscaled: float
    scales: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def frequency_sensitivity(config: SensitivityConfig) -> dict:
    """Measures models, and writes results, a table and a figure.

    Files are written only after all measurements. Clips are read once for each model.

    Returns:
        The results, as in results.json, and a "table" of them for people.

    Raises:
        ValueError: If there is no such model, the records do not fit it, or it has no
            such blocks or batch normalizations.
        OSError: If a file cannot be read or written.
    """
    folder = Path(config.output_dir)
    check_writable(folder)
    scales = parse_scales(config.scales)
    # All models are checked before the first one is measured.
    prepared = [_prepare(place, config) for place in config.checkpoint_dirs]
    names = short_names(config.checkpoint_dirs)
    measured = [
        measure_sensitivity(name, forms, records.batches(config.batch_size), scales)
        for name, (forms, records) in zip(names, prepared, strict=True)
    ]
    settings = dataclasses.asdict(config)
    del settings["output_dir"]
    results = {
        "settings": settings,
        "models": [dataclasses.asdict(each) for each in measured],
    }
    folder.mkdir(parents=True, exist_ok=True)
    header = ("model", "component", "scale", "top_1", "clips")
    write_csv(folder / TABLE_FILE, header, _rows(measured))
    with replacing(folder / FIGURE_FILE) as unfinished:
        draw_sensitivity(measured).savefig(unfinished, format="png", dpi=110)
    write_results(folder / RESULTS_FILE, results)
    return results | {"table": "\n\n".join(map(_table, measured))}


def parse_scales(text: str) -> tuple[float, ...]:
    """Returns the numbers of "0,0.5,1", or even steps of the range "0..2".

    Raises:
        ValueError: If the text is neither, or if a number is not finite or repeated.
    """
    low, dots, high = text.partition("..")
    try:
        numbers = [float(part) for part in ((low, high) if dots else text.split(","))]
    except ValueError:
        numbers = [math.nan]
    if not all(map(math.isfinite, numbers)):
        raise ValueError(
            f"scales is {text!r:.80}: give numbers (0,0.5,1) or a range (0..2)."
        )
    if dots:
        if numbers[0] >= numbers[1]:
            raise ValueError(f"scales is {text!r:.80}: give the lower end first.")
        numbers = np.linspace(numbers[0], numbers[1], _STEPS_OF_A_RANGE).tolist()
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"scales is {text!r:.80}: give each scale once.")
    return tuple(sorted(numbers))


def measure_sensitivity(
    name: str,
    forms: Mapping[str, Callable],
    batches: Iterable[tuple],
    scales: tuple[float, ...],
) -> Sensitivity:
    """Returns the accuracy of a model with each component scaled.

    `forms` has a function from clips to the logits of the model itself, as "unscaled",
    and a `ScaledModel` for each of `COMPONENTS`. `batches` are tuples of clips [batch,
    frames, size, size, 3] in 0..1, labels [batch] and names.
    """
    # Another graph rounds differently, so the model itself serves for factor 1.
    runs = {_UNSCALED: forms[_UNSCALED]} | {
        (component, scale): functools.partial(forms[component], scale=scale)
        for component in COMPONENTS
        for scale in scales
        if scale != 1
    }
    hits: dict = {run: [] for run in runs}
    for clips, labels, _ in batches:
        clips = tf.constant(clips)
        for run, logits in tqdm.tqdm(runs.items(), "Scaling", leave=False):
            hits[run].append(_hits(logits(clips), labels))
    accuracy = {run: float(np.concatenate(of).mean()) for run, of in hits.items()}
    unscaled = accuracy[_UNSCALED]
    return Sensitivity(
        name=name,
        clips=sum(map(len, hits[_UNSCALED])),
        unscaled=unscaled,
        scales=scales,
        **{
            component: tuple(accuracy.get((component, s), unscaled) for s in scales)
            for component in COMPONENTS
        },
    )


def short_names(paths: Iterable[str]) -> list[str]:
    """Returns paths without the folder that contains all of them."""
    paths = [os.path.abspath(path) for path in paths]
    shared = os.path.commonpath([os.path.dirname(path) for path in paths])
    return [os.path.relpath(path, shared) for path in paths]


def _prepare(checkpoint_dir, config):
    model = load_best(checkpoint_dir)
    check_one_label(model.config, "Sensitivity is measured by top-1 accuracy")
    records = EvaluationRecords(config.records, model.config)
    forms = {_UNSCALED: logits_function(model)}
    for component, called in COMPONENTS.items():
        rms = config.rms(config.filter, called)
        forms[component] = ScaledModel(model, rms, named="")
    return forms, records


def _hits(logits, labels):
    probabilities = tf.nn.softmax(logits).numpy()
    classes = range(probabilities.shape[1])
    labels, probabilities = check_predictions(labels, probabilities, classes)
    return likeliest(probabilities, 1)[:, 0] == labels


def _rows(measured):
    for model in measured:
        yield model.name, _UNSCALED, 1, model.unscaled, model.clips
        for component in COMPONENTS:
            accuracies = getattr(model, component)
            for scale, accuracy in zip(model.scales, accuracies, strict=True):
                yield model.name, component, scale, accuracy, model.clips


def _table(model):
    lines = [
        f"{model.name}: top-1 {model.unscaled:.3f} on {model.clips} clips",
        "scale  low frequencies  high frequencies",
    ]
    for scale, low, high in zip(model.scales, model.low, model.high, strict=True):
        lines.append(f"{scale:5g}  {low:15.3f}  {high:16.3f}")
    return "\n".join(lines)
