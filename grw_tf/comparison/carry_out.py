"""Carries out one run of a comparison: trains, measures, exports."""

import dataclasses
import functools
import json
import math
import types

import numpy as np
import tensorflow as tf

from grw_tf.common.fingerprint import fingerprint
from grw_tf.common.json_file import write_json
from grw_tf.common.replacing import replacing
from grw_tf.comparison.durations import begin_work, end_work, steps_done
from grw_tf.comparison.run import (
    EMBEDDINGS_FILE,
    EXPERIMENT_FILE,
    MEASURES_FILE,
    MODEL_FILE,
    ROBUSTNESS_FILE,
    START_FILE,
    Run,
    spread,
)
from grw_tf.evaluation.directions import directions
from grw_tf.evaluation.embeddings import embed_clips, embedding_layers
from grw_tf.evaluation.evaluate import EvaluationConfig, evaluate_model
from grw_tf.evaluation.inference import predict_clips
from grw_tf.evaluation.label_measures import average_precisions, mean_of_known
from grw_tf.evaluation.perturbations import perturbed_accuracy
from grw_tf.evaluation.predictions import write_results
from grw_tf.evaluation.smoothness import smoothness
from grw_tf.export.export import ExportConfig, export_run
from grw_tf.training.controller import OutOfTime
from grw_tf.training.driver import run_experiment
from grw_tf.weights.run_directory import read_run

TRAINING_CLIPS, EMBEDDED_CLIPS = 512, 2048
"""The most clips that training accuracy and embeddings are measured on."""

_KEPT_CLIPS, _KEPT_NUMBERS = 48, 2**20
_COMPARED_STEPS = 3


def carry_out(run: Run, stop_at: float = math.inf) -> None:
    """Trains, measures and exports, or resumes that; the measures are written last.

    If the training is not over at a Unix time in seconds, it stops there with a
    checkpoint, and the run is left unfinished.

    Raises:
        ValueError: If training or evaluation fails, or if the initial weights or the
            clips differ from those of the seed's other variants.
        OSError: If something cannot be read or written.
    """
    options = types.SimpleNamespace(
        experiment=run.experiment,
        mode="train_and_eval",
        model_dir=str(run.folder),
        config_file=[str(run.folder / EXPERIMENT_FILE)],
        params_override="",
        tpu="",
    )
    measured = run.measured
    if not measured:
        begin_work(run)
        try:
            run_experiment(options, functools.partial(_note_start, run), stop_at)
        except OutOfTime:
            return
    trained = read_run(run.folder)
    if run.robustness:
        clips = run.test_clips.open(trained.model.config)
        accuracy = perturbed_accuracy(trained.model, clips, run.batch_size)
        write_results(run.folder / ROBUSTNESS_FILE, accuracy)
    if not measured:
        measures = _measure(run, trained) | {"seconds": end_work(run)}
        write_results(run.folder / MEASURES_FILE, measures)


def _note_start(run, trainer):
    """Records the start of a training, and compares it with the other variants'."""
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


def _measure(run, trained):
    model = trained.model
    evaluation = EvaluationConfig(
        checkpoint=trained.checkpoint,
        records=str(run.test_clips),
        output_dir=str(run.test_folder),
        batch_size=run.batch_size,
        streaming=model.config.backbone.causal and model.config.frames > 1,
    )
    records = run.test_clips.open(model.config)
    clips = evaluate_model(model, records, evaluation)["clips"]
    measures = {
        "start": json.loads((run.folder / START_FILE).read_text()),
        "steps": steps_done(run),
        "checkpoint": trained.checkpoint,
        "checkpoint_step": _step_of(trained.checkpoint),
        "test_clips": clips,
        **_training_measure(run, model),
    }
    measures |= _measure_embeddings(run, model, clips)
    if run.export_as:
        measures["export"] = _export(run, trained)
    return measures


def _training_measure(run, model):
    """Returns the accuracy, or mAP, on training clips, at inference as on test clips.

    It is None where no class has clips.
    """
    chosen = set(spread(run.train_clips.count, TRAINING_CLIPS).tolist())
    clips = run.train_clips.open(model.config)
    predicted = predict_clips(model, clips.batches(run.batch_size, chosen))
    if model.config.has_several_labels:
        each = average_precisions(predicted.labels, predicted.probabilities)
        mean = mean_of_known(each)
        return {
            "training_mean_average_precision": None if np.isnan(mean) else mean,
        }
    right = predicted.probabilities.argmax(axis=1) == predicted.labels
    return {"training_accuracy": float(right.mean())}


def _step_of(checkpoint):
    """Returns the step of the best checkpoint, or None for another one."""
    best = f"{checkpoint}/info.json"
    if not tf.io.gfile.exists(best):
        return None
    with tf.io.gfile.GFile(best) as file:
        return int(json.load(file)["best_ckpt_global_step"])


def _measure_embeddings(run, model, clips):
    chosen = spread(clips, EMBEDDED_CLIPS)
    records = run.test_clips.open(model.config)
    batches = records.batches(run.batch_size, set(chosen.tolist()))
    labels = []
    z = embed_clips(model, _noting_labels(batches, labels))
    # More clips of small embeddings, within 4 MB.
    kept = spread(len(z), max(_KEPT_CLIPS, _KEPT_NUMBERS // z[0].size))
    with (
        replacing(run.folder / EMBEDDINGS_FILE) as unfinished,
        unfinished.open("wb") as file,
    ):
        np.savez_compressed(file, z=z[kept], clips=chosen[kept])
    window = run.window
    several = model.config.has_several_labels
    # Straightness alone does not depend on the classes.
    directed = directions(z, np.zeros(len(z), int) if several else labels)
    measured = {"straightness": directed.straightness}
    if not several:
        measured |= {
            "direction_consistency": directed.consistency,
            "direction_accuracy": directed.accuracy,
            "displacement_explained": directed.explained,
        }
    if z.shape[1] >= window:
        measured |= dataclasses.asdict(smoothness(z, window))
    defined = {
        k: value if np.isfinite(value) else None for k, value in measured.items()
    }
    return defined | {
        "window": window,
        "embedding": embedding_layers(model)[-1],
        "embedded_clips": len(z),
    }


def _noting_labels(batches, labels):
    for batch in batches:
        labels.extend(batch[1])
        yield batch


def _export(run, trained):
    config = ExportConfig(
        output=str(run.folder / MODEL_FILE),
        quantization=run.export_as,
        # The report says what does not match.
        allow_mismatch=True,
    )
    try:
        return export_run(trained, config).to_dict()
    except ValueError as error:
        return {"refused": str(error)}
