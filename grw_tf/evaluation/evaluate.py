"""Evaluating a checkpoint on records: clip by clip, or frame by frame."""

import dataclasses
from pathlib import Path

import numpy as np
import tensorflow as tf

from grw_tf.evaluation.measures import measure
from grw_tf.evaluation.predictions import write_predictions, write_results
from grw_tf.evaluation.records import EvaluationRecords
from grw_tf.evaluation.streaming import measure_streams, stream_clips
from grw_tf.flags import option
from grw_tf.weights.restore import load_model

PREDICTIONS_FILE = "predictions.csv"
RESULTS_FILE = "results.json"


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
    """What to evaluate; each is a flag."""

    checkpoint: str = option(
        "", "Checkpoint of a whole model: a prefix or folder, as runs/own/best_ckpt."
    )
    records: str = option("", "Records to evaluate on: records/test-*.tfrecord.")
    output_dir: str = option("", "Folder that gets results.json and predictions.csv.")
    batch_size: int = option(8, "Clips at once.")
    streaming: bool = option(
        False, "Feed frame by frame: accuracy after each frame, and flicker."
    )


def evaluate(config: EvaluationConfig) -> dict:
    """Evaluates a model, and writes results and predictions.

    Args:
      config: what to evaluate.

    Returns:
      The results, as in results.json, and a "table" of them for people.

    Raises:
      ValueError: if the checkpoint is of no whole model, or the records do not fit it.
      OSError: if something cannot be read or written.
    """
    model = load_model(config.checkpoint)
    records = EvaluationRecords(config.records, model.config)
    batches = records.batches(config.batch_size)
    streams = {}
    if config.streaming:
        streamed = stream_clips(model, batches)
        labels, names = streamed.labels, streamed.names
        measured = measure_streams(streamed.logits, labels, model.config.fps)
        streams = {"streaming": measured.to_dict()}
        logits = streamed.logits[:, -1]
    else:
        logits, labels, names = _run(model, batches)
    probabilities = tf.nn.softmax(logits).numpy()
    measures = measure(labels, probabilities, records.class_names)
    results = measures.to_dict() | streams
    folder = Path(config.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    write_predictions(
        folder / PREDICTIONS_FILE, names, labels, probabilities, records.class_names
    )
    write_results(folder / RESULTS_FILE, results)
    return results | {"table": measures.table()}


def _run(model, batches):
    run = tf.function(lambda clips: model(clips, training=False), autograph=False)
    logits, labels, names = [], [], []
    for clips, of_clips, called in batches:
        logits.append(run(tf.constant(clips)))
        labels.append(of_clips)
        names += called
    return np.concatenate(logits), np.concatenate(labels), names
