"""Evaluates a checkpoint on records: by clips, by views, or frame by frame."""

import dataclasses
from pathlib import Path
from typing import Any

import tf_keras

from grw_tf.common.checks import check_positive
from grw_tf.common.class_choice import chosen_classes
from grw_tf.common.flags import option
from grw_tf.common.json_file import write_json
from grw_tf.common.labels_file import check_class_names
from grw_tf.common.output_folder import check_writable
from grw_tf.common.replacing import replacing
from grw_tf.common.text_table import text_table
from grw_tf.data.evaluation_clips import EvaluationClips
from grw_tf.data.records.evaluation_records import EvaluationRecords
from grw_tf.data.records.record_source import RecordSource
from grw_tf.evaluation.inference import (
    Predictions,
    predict_clips,
    predict_views,
    scores_of,
)
from grw_tf.evaluation.label_measures import measure_labels
from grw_tf.evaluation.label_streams import measure_label_streams
from grw_tf.evaluation.measures import measure
from grw_tf.evaluation.perturbations import PERTURBATIONS, perturbed_accuracy
from grw_tf.evaluation.predictions import (
    write_label_predictions,
    write_predictions,
    write_results,
)
from grw_tf.evaluation.streaming import measure_streams, stream_clips
from grw_tf.figures.accuracy_over_time import draw_accuracy
from grw_tf.figures.confusion_matrix import draw_confusion
from grw_tf.frames.geometry import check_fit
from grw_tf.weights.restore import load_model, recorded_config
from grw_tf.weights.thresholds import THRESHOLDS_HELP, thresholds_for

PREDICTIONS_FILE = "predictions.csv"
RESULTS_FILE = "results.json"
CONFUSION_FILE = "confusion.png"
THRESHOLDS_FILE = "thresholds.json"
CURVE_FILE = "accuracy_after_each_frame.png"


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
    """What to evaluate; each is a flag."""

    checkpoint: str = option(
        "", "Checkpoint of a whole model: a prefix or folder, e.g. runs/own/best_ckpt."
    )
    records: str = option("", "Records to evaluate on: records/test-*.tfrecord.")
    output_dir: str = option("", "Folder for results, predictions and figures.")
    batch_size: int = option(8, "Clips or views in a batch.")
    clips: int = option(
        1,
        "Clips spread evenly over each video, whose probabilities are averaged; one"
        " clip is the middle of the video.",
    )
    crops: int = option(
        1, "Squares of each clip: 1 (the center) or 3 (along the longer side)."
    )
    size: int = option(
        0, "Side of a square in pixels, which may be any; 0 for the model's own."
    )
    frame_fit: str = option(
        "",
        "How frames become squares: short_side or square; empty for what the checkpoint"
        " records.",
    )
    streaming: bool = option(
        False, "Feed single frames; reports the accuracy after each frame, and flicker."
    )
    classes: str = option(
        "",
        "Evaluate these classes alone: names by commas, or a file with one a line. A"
        " softmax is then over them alone, and clips of other classes are left out.",
    )
    thresholds: str = option("", THRESHOLDS_HELP)
    robustness: bool = option(
        False,
        "Also report the accuracy with dropped frames, jitter in time, another frame"
        " rate, and noise.",
    )

    def __post_init__(self):
        check_positive(batch_size=self.batch_size, clips=self.clips)
        if self.crops not in (1, 3):
            raise ValueError(f"crops is {self.crops}: it must be 1 or 3.")
        if self.size < 0:
            raise ValueError(
                f"size is {self.size}: it must be above 0, or 0 for the model's own."
            )
        if self.frame_fit:
            check_fit(self.frame_fit)
        if "://" in self.output_dir:
            raise ValueError(
                f"output_dir is {self.output_dir}: results go to a local folder, copy"
                " them from there."
            )
        for name in ("streaming", "robustness"):
            if getattr(self, name) and not self.single_view:
                raise ValueError(
                    f"{name} feeds one clip of each video, not {self.clips} clips x"
                    f" {self.crops} crops: leave out one of them."
                )

    @property
    def single_view(self) -> bool:
        """Whether each video has a single view."""
        return self.clips == self.crops == 1


def evaluate(config: EvaluationConfig) -> dict:
    """Evaluates a model, and writes results, predictions and figures.

    Files are written only after the whole evaluation.

    Returns:
        The results, as in results.json, and a "table" of them for people.

    Raises:
        ValueError: If the checkpoint does not hold a whole model, or the records do not
            fit the model.
        OSError: If a file cannot be read or written.
    """
    check_writable(Path(config.output_dir))
    changes = {"size": config.size, "frame_fit": config.frame_fit}
    changes = {name: value for name, value in changes.items() if value}
    given: dict[str, Any] = {}
    if config.classes:
        # Their names are the records'.
        recorded = RecordSource(config.records, several_labels=True).class_names
        given["classes"] = chosen_classes(config.classes, recorded)
        if trained := recorded_config(config.checkpoint):
            check_class_names(recorded, trained)
    model = load_model(config.checkpoint, **given | changes)
    records = EvaluationRecords(config.records, model.config, **given)
    return evaluate_model(model, records, config)


def evaluate_model(
    model: tf_keras.Model, records: EvaluationClips, config: EvaluationConfig
) -> dict:
    """Evaluates the loaded model of a config on any clips, as `evaluate` does."""
    several = model.config.has_several_labels
    if config.thresholds and not several:
        raise ValueError(
            f"thresholds is {config.thresholds}, and this model has a softmax, whose"
            " likeliest class is predicted: leave it out."
        )
    thresholds: tuple[float, ...] = ()
    if several:
        thresholds = thresholds_for(
            config.thresholds,
            config.checkpoint,
            records.recorded_classes,
            records.class_names,
        )
    folder = Path(config.output_dir)
    streamed = None
    if config.streaming:
        streamed = stream_clips(model, records.batches(config.batch_size))
        scores = scores_of(streamed.logits[:, -1], model).numpy()
        predicted = Predictions(scores, streamed.labels, streamed.names)
    elif config.single_view:
        predicted = predict_clips(model, records.batches(config.batch_size))
    else:
        predicted = predict_views(
            model, records.videos(), config.clips, config.crops, config.batch_size
        )
    kind = _Labels if several else _Classes
    found = kind(predicted, records.class_names, thresholds)
    results = {"settings": _settings(config, model.config)} | found.measures.to_dict()
    figures = found.figures()
    table = found.measures.table()
    if records.left_out:
        results["clips_of_other_classes"] = records.left_out
        table = f"{records.left_out} clips of other classes are left out.\n\n{table}"
    if streamed:
        streams, figure = found.streams(streamed, model.config.fps)
        results["streaming"] = streams.to_dict()
        figures[CURVE_FILE] = figure
        table += f"\n\n{streams.table()}"
    if config.robustness:
        robustness = perturbed_accuracy(model, records, config.batch_size)
        results["robustness"] = robustness
        named = [perturbation.named(several) for perturbation in PERTURBATIONS]
        rows = [(title, f"{robustness[key]:.3f}") for key, title in named]
        table += f"\n\n{text_table(rows)}"

    folder.mkdir(parents=True, exist_ok=True)
    found.write(folder, config.records)
    for name, figure in figures.items():
        with replacing(folder / name) as unfinished:
            figure.savefig(unfinished, format="png", dpi=110)
    write_results(folder / RESULTS_FILE, results)
    return results | {"table": table}


class _Classes:
    """What is made of predictions of one class a clip."""

    def __init__(self, predicted, class_names, _):
        self._of_clips = predicted.names, predicted.labels, predicted.probabilities
        self._class_names = class_names
        self.measures = measure(*self._of_clips[1:], class_names)

    def figures(self):
        return {
            CONFUSION_FILE: draw_confusion(self.measures.confusion, self._class_names)
        }

    def streams(self, streamed, fps):
        found = measure_streams(streamed.logits, streamed.labels, fps)
        changes = found.label_changes_per_second, found.probability_change
        return found, draw_accuracy(found.accuracy, fps, *changes)

    def write(self, folder, _):
        write_predictions(folder / PREDICTIONS_FILE, *self._of_clips, self._class_names)


class _Labels:
    """What is made of predictions of any number of classes a clip."""

    def __init__(self, predicted, class_names, thresholds):
        self._of_clips = predicted.names, predicted.labels, predicted.probabilities
        self._class_names = class_names
        self._thresholds = thresholds
        self.measures = measure_labels(*self._of_clips[1:], thresholds, class_names)

    def figures(self):
        return {}

    def streams(self, streamed, fps):
        found = measure_label_streams(
            streamed.logits, streamed.labels, self._thresholds, fps
        )
        changes = found.label_changes_per_second, found.probability_change
        curve = found.mean_average_precision
        return found, draw_accuracy(curve, fps, *changes, measure="mAP")

    def write(self, folder, records):
        write_label_predictions(
            folder / PREDICTIONS_FILE,
            *self._of_clips,
            self._thresholds,
            self._class_names,
        )
        best = self.measures.best_thresholds.tolist()
        numbers = dict(zip(self._class_names, best, strict=True))
        content = {"chosen_on": records, "thresholds": numbers}
        write_json(folder / THRESHOLDS_FILE, content)


def _settings(config, model_config):
    fields = ("frames", "size", "fps", "frame_fit")
    model = {name: getattr(model_config, name) for name in fields}
    settings = dataclasses.asdict(config) | {"model": model}
    del settings["output_dir"]
    return settings
