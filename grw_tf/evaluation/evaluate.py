"""Evaluates a checkpoint on records: by clips, by views, or frame by frame."""

import dataclasses
from pathlib import Path

import tensorflow as tf
import tf_keras

from grw_tf.common.checks import check_positive
from grw_tf.common.flags import option
from grw_tf.common.output_folder import check_writable
from grw_tf.common.replacing import replacing
from grw_tf.common.text_table import text_table
from grw_tf.data.evaluation_clips import EvaluationClips
from grw_tf.data.records.evaluation_records import EvaluationRecords
from grw_tf.evaluation.inference import Predictions, predict_clips, predict_views
from grw_tf.evaluation.measures import measure
from grw_tf.evaluation.perturbations import PERTURBATIONS, perturbed_accuracy
from grw_tf.evaluation.predictions import write_predictions, write_results
from grw_tf.evaluation.streaming import measure_streams, stream_clips
from grw_tf.figures.accuracy_over_time import draw_accuracy
from grw_tf.figures.confusion_matrix import draw_confusion
from grw_tf.frames.geometry import check_fit
from grw_tf.weights.restore import load_model

PREDICTIONS_FILE = "predictions.csv"
RESULTS_FILE = "results.json"
CONFUSION_FILE = "confusion.png"
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
    model = load_model(config.checkpoint, **changes)
    records = EvaluationRecords(config.records, model.config)
    return evaluate_model(model, records, config)


def evaluate_model(
    model: tf_keras.Model, records: EvaluationClips, config: EvaluationConfig
) -> dict:
    """Evaluates the loaded model of a config on any clips, as `evaluate` does."""
    folder = Path(config.output_dir)
    streams = None
    if config.streaming:
        predicted, streams = _stream(model, records, config)
    elif config.single_view:
        predicted = predict_clips(model, records.batches(config.batch_size))
    else:
        predicted = predict_views(
            model, records.videos(), config.clips, config.crops, config.batch_size
        )
    measures = measure(predicted.labels, predicted.probabilities, records.class_names)
    results = {"settings": _settings(config, model.config)} | measures.to_dict()
    figures = {CONFUSION_FILE: draw_confusion(measures.confusion, records.class_names)}
    table = measures.table()
    if streams:
        results["streaming"] = streams.to_dict()
        figures[CURVE_FILE] = draw_accuracy(
            streams.accuracy,
            streams.fps,
            streams.label_changes_per_second,
            streams.probability_change,
        )
        table += f"\n\n{streams.table()}"
    if config.robustness:
        robustness = perturbed_accuracy(model, records, config.batch_size)
        results["robustness"] = robustness
        rows = [(p.title, f"{robustness[p.key]:.3f}") for p in PERTURBATIONS]
        table += f"\n\n{text_table(rows)}"

    folder.mkdir(parents=True, exist_ok=True)
    of_clips = predicted.names, predicted.labels, predicted.probabilities
    write_predictions(folder / PREDICTIONS_FILE, *of_clips, records.class_names)
    for name, figure in figures.items():
        with replacing(folder / name) as unfinished:
            figure.savefig(unfinished, format="png", dpi=110)
    write_results(folder / RESULTS_FILE, results)
    return results | {"table": table}


def _stream(model, records, config):
    streamed = stream_clips(model, records.batches(config.batch_size))
    measured = measure_streams(streamed.logits, streamed.labels, model.config.fps)
    probabilities = tf.nn.softmax(streamed.logits[:, -1]).numpy()
    return Predictions(probabilities, streamed.labels, streamed.names), measured


def _settings(config, model_config):
    fields = ("frames", "size", "fps", "frame_fit")
    model = {name: getattr(model_config, name) for name in fields}
    settings = dataclasses.asdict(config) | {"model": model}
    del settings["output_dir"]
    return settings
