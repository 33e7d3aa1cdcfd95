"""Carrying out one run of a comparison: training, measuring, exporting."""

import functools
import json
import types

import numpy as np
import tensorflow as tf

from grw_tf.common.fingerprint import fingerprint
from grw_tf.common.json_file import write_json
from grw_tf.common.replacing import replacing
from grw_tf.comparison.run import (
    EMBEDDINGS_FILE,
    EXPERIMENT_FILE,
    MEASURES_FILE,
    MODEL_FILE,
    START_FILE,
    Run,
)
from grw_tf.data.records.evaluation_records import EvaluationRecords
from grw_tf.evaluation.embeddings import embed_clips, embedding_layers
from grw_tf.evaluation.evaluate import EvaluationConfig, evaluate_model
from grw_tf.evaluation.predictions import write_results
from grw_tf.evaluation.smoothness import smoothness
from grw_tf.export.export import ExportConfig, export_run
from grw_tf.training.driver import run_experiment
from grw_tf.weights.run_directory import read_run

EMBEDDED_CLIPS, KEPT_CLIPS = 512, 48
"""At most how many test clips smoothness is measured on, and how many are drawn."""

_COMPARED_STEPS = 3


def carry_out(run: Run) -> None:
    """Trains, measures and exports, or goes on with that; its measures come last.

    Raises:
      ValueError, OSError: as a training, an evaluation, or a start that is not that of
        the seed's other variants.
    """
    options = types.SimpleNamespace(
        experiment=run.experiment,
        mode="train_and_eval",
        model_dir=str(run.folder),
        config_file=[str(run.folder / EXPERIMENT_FILE)],
        params_override="",
        tpu="",
    )
    run_experiment(options, at_start=functools.partial(_note_start, run))
    measures = _measure(run)
    write_results(run.folder / MEASURES_FILE, measures)


def _note_start(run, trainer):
    """Writes down where a training starts from, and compares with its rivals."""
    model = trainer.model
    added = {
        id(weight) for layer in model.smoothing.values() for weight in layer.weights
    }
    shared = [weight.numpy() for weight in model.weights if id(weight) not in added]
    task = trainer.task
    names = [n for step in range(_COMPARED_STEPS) for n in task.names_of_step(step)]
    start = {
        "weights": fingerprint(shared),
        "clips": fingerprint([np.array(names)]),
        "seed": run.seed,
    }
    for file in sorted(run.folder.parent.glob(f"*/{START_FILE}")):
        other = json.loads(file.read_text())
        for what in start:
            if file.parent != run.folder and other[what] != start[what]:
                raise ValueError(
                    f"{run.title} starts from other {what} than {file.parent.name}, and"
                    " cannot be compared with it: remove both folders, and run again."
                )
    write_json(run.folder / START_FILE, start)


def _measure(run):
    trained = read_run(run.folder)
    model = trained.model
    evaluation = EvaluationConfig(
        checkpoint=trained.checkpoint,
        records=run.test_records,
        output_dir=str(run.test_folder),
        batch_size=run.batch_size,
        streaming=model.config.backbone.causal and model.config.frames > 1,
    )
    clips = evaluate_model(model, evaluation)["clips"]
    measures = {
        "start": json.loads((run.folder / START_FILE).read_text()),
        "steps": int(tf.train.latest_checkpoint(run.folder).rsplit("-", 1)[1]),
        "checkpoint": trained.checkpoint,
        "checkpoint_step": _step_of(trained.checkpoint),
        "test_clips": clips,
    }
    measures |= _measure_embeddings(run, model, clips)
    if run.export_as:
        measures["export"] = _export(run, trained)
    return measures


def _step_of(checkpoint):
    """Returns the step of the best checkpoint, or None if another was taken."""
    best = f"{checkpoint}/info.json"
    if not tf.io.gfile.exists(best):
        return None
    with tf.io.gfile.GFile(best) as file:
        return int(json.load(file)["best_ckpt_global_step"])


def _measure_embeddings(run, model, clips):
    records = EvaluationRecords(run.test_records, model.config)
    chosen = _spread(clips, EMBEDDED_CLIPS)
    wanted = set(chosen.tolist())
    batches = (
        batch for number, batch in enumerate(records.batches(1)) if number in wanted
    )
    z = embed_clips(model, batches)
    kept = _spread(len(z), KEPT_CLIPS)
    with replacing(run.folder / EMBEDDINGS_FILE) as unfinished:
        with unfinished.open("wb") as file:
            np.savez_compressed(file, z=z[kept], clips=chosen[kept])
    window = model.config.smoothing.window
    measured = {}
    if model.config.frames >= window:
        smooth = smoothness(z, window)
        measured = {
            "order_accuracy": smooth.order_accuracy,
            "acceleration_ratio": _finite(smooth.acceleration_ratio),
        }
    return measured | {
        "window": window,
        "embedding": embedding_layers(model)[-1],
        "embedded_clips": len(z),
    }


def _export(run, trained):
    if not trained.model.config.backbone.causal:
        return {"refused": "a base model sees frames to come: it is no stream"}
    config = ExportConfig(
        output=str(run.folder / MODEL_FILE),
        quantization=run.export_as,
        # What does not match is told in the report.
        allow_mismatch=True,
    )
    try:
        return export_run(trained, config).to_dict()
    except ValueError as error:
        return {"refused": str(error)}


def _finite(number):
    return number if np.isfinite(number) else None


def _spread(count, most):
    """Returns indices of at most so many, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))
