"""Finished runs of a comparison, made from drawn logits in place of trainings."""

import json

import cv2
import numpy as np
import tensorflow as tf
from clip_records import write_records
from scipy import special
from training_runs import EXPERIMENT, SMOKE_GRW, Options

from grw_tf.common.json_file import write_json
from grw_tf.comparison.config import ComparisonConfig
from grw_tf.comparison.preflight import make_plan
from grw_tf.comparison.run import EMBEDDINGS_FILE, MEASURES_FILE, ROBUSTNESS_FILE
from grw_tf.data.preparation.jpeg_clips import JpegClip
from grw_tf.data.records.sequence_examples import sequence_example
from grw_tf.evaluation.label_measures import measure_labels
from grw_tf.evaluation.label_streams import measure_label_streams
from grw_tf.evaluation.measures import measure
from grw_tf.evaluation.perturbations import PERTURBATIONS
from grw_tf.evaluation.predictions import (
    write_label_predictions,
    write_predictions,
    write_results,
)
from grw_tf.evaluation.streaming import measure_streams

NAMES = ("<script>alert(1)</script>", 'a & "b"', "später $x$", "跳ぶ", "e", "{{ f }}")
"""Names of classes that are markup, code and no ASCII."""

CLIPS, SEEDS = 24, 3
_FRAMES, _FPS, _STEPS = 8, 5.0, (10, 20, 30)
_LABELS = np.arange(CLIPS) % len(NAMES)
_CLIP_NAMES = tuple(f"<i>{k}</i>.mp4" for k in range(CLIPS))


def write_odd_records(folder, several_labels=False):
    """Writes records of 24 clips of the classes `NAMES`, and returns their path.

    Each has one class, or with `several_labels` those of `label_lists`.
    """
    jpeg = cv2.imencode(".jpg", np.full((48, 64, 3), 90, np.uint8))[1].tobytes()
    clip = JpegClip([jpeg] * _FRAMES, 48, 64)
    labels = [[label] for label in _LABELS.tolist()]
    if several_labels:
        labels = [np.flatnonzero(row).tolist() for row in label_lists()]
    examples = [
        sequence_example(clip, of_clip, [NAMES[k] for k in of_clip], _FPS, name)
        for of_clip, name in zip(labels, _CLIP_NAMES, strict=True)
    ]
    return write_records(folder, *examples, labels=NAMES)


def plan_of(
    records, folder, variants="grw,grw_intermediate+rms", override=None, **fields
):
    """Plans a comparison of the smoke config on records of `write_odd_records`.

    Args:
        records: Paths, to train on, to validate on and by default to test on.
        folder: Folder of the comparison.
        variants: Names, separated by commas.
        override: Further keys of the config.
        **fields: Fields of `ComparisonConfig`.
    """
    override = {"task": {}} | (override or {})
    model = {"num_classes": len(NAMES)} | override["task"].get("model", {})
    data = {"train_data": {"input_path": records}}
    data["validation_data"] = data["train_data"]
    override |= {"task": data | override["task"] | {"model": model}}
    options = Options(
        experiment=EXPERIMENT,
        config_file=SMOKE_GRW,
        params_override=json.dumps(override),
        mode="",
    )
    fields = {"output_dir": str(folder), "variants": variants} | fields
    return make_plan(options, ComparisonConfig(**fields))


def finish(run, right, seed=0):
    """Writes what a finished run leaves.

    Args:
        run: A `Run` of `plan_of`.
        right: Which predictions are right at the end, bool [clips].
        seed: The seed of the rest.
    """
    rng = np.random.default_rng(seed)
    predicted = np.where(right, _LABELS, (_LABELS + 1) % len(NAMES))
    logits = rng.normal(size=(CLIPS, _FRAMES, len(NAMES)))
    logits[np.arange(CLIPS), -1, predicted] = 9.0
    probabilities = tf.nn.softmax(logits[:, -1]).numpy()
    streams = measure_streams(logits, _LABELS, _FPS)
    run.test_folder.mkdir(parents=True, exist_ok=True)
    write_predictions(run.predictions, _CLIP_NAMES, _LABELS, probabilities, NAMES)
    results = measure(_LABELS, probabilities, NAMES).to_dict()
    of_one_label = {
        "training_accuracy": 1.0,
        "direction_consistency": float(rng.uniform(-0.5, 1.5)),
        "direction_accuracy": float(rng.uniform()),
        # As of embeddings that do not move.
        "displacement_explained": None if "+" in run.variant else -0.1,
    }
    robustness = {each.key: float(rng.uniform()) for each in PERTURBATIONS}
    _finish_rest(run, rng, results, streams, of_one_label, robustness)


def finish_with_labels(run, noise, seed=0):
    """Writes what a finished run on clips with several labels leaves.

    Args:
        run: A `Run` of `plan_of`, whose model has sigmoids.
        noise: Deviation of the logits, which are 1 from 0 without it.
        seed: The seed of the rest.
    """
    rng = np.random.default_rng(seed)
    labels = label_lists()
    shape = (CLIPS, _FRAMES, len(NAMES))
    logits = 2.0 * labels[:, None] - 1 + rng.normal(0, noise, shape)
    scores, thresholds = special.expit(logits[:, -1]), np.full(len(NAMES), 0.5)
    streams = measure_label_streams(logits, labels, thresholds, _FPS)
    run.test_folder.mkdir(parents=True, exist_ok=True)
    of_clips = _CLIP_NAMES, labels, scores, thresholds, NAMES
    write_label_predictions(run.predictions, *of_clips)
    results = measure_labels(labels, scores, thresholds, NAMES).to_dict()
    training = {"training_mean_average_precision": 1.0}
    robustness = {each.named(True)[0]: float(rng.uniform()) for each in PERTURBATIONS}
    _finish_rest(run, rng, results, streams, training, robustness)


def label_lists():
    """Returns which classes the clips have, bool [clips, classes]; some have none."""
    return np.random.default_rng(7).random((CLIPS, len(NAMES))) < 0.35


def _finish_rest(run, rng, results, streams, measures, robustness):
    write_results(
        run.test_folder / "results.json", results | {"streaming": streams.to_dict()}
    )
    kept = np.arange(8)
    z = rng.normal(size=(8, _FRAMES, 5)).cumsum(axis=1).astype(np.float32)
    np.savez_compressed(run.folder / EMBEDDINGS_FILE, z=z, clips=kept)
    for split in ("train", "validation"):
        with tf.summary.create_file_writer(str(run.folder / split)).as_default():
            for step in _STEPS:
                tf.summary.scalar("class_loss", rng.uniform() + 9 / step, step=step)
                accuracy = "mean_average_precision"
                if accuracy not in results:
                    accuracy = "top_1_accuracy"
                tf.summary.scalar(accuracy, rng.uniform(), step=step)
                if split == "train":
                    tf.summary.scalar("clips_per_second", 20 + step, step=step)
    measures = measures | {
        "start": {"weights": f"w{run.seed}", "clips": f"c{run.seed}", "seed": run.seed},
        "steps": 30,
        "checkpoint": str(run.folder / "best_ckpt"),
        "checkpoint_step": 20,
        "test_clips": CLIPS,
        "order_accuracy": float(rng.uniform()),
        "acceleration_ratio": float(rng.uniform(1, 1.7)),
        "window": 4,
        "embedding": "final",
        "embedded_clips": CLIPS,
        "straightness": float(rng.uniform()),
    }
    write_json(run.folder / MEASURES_FILE, measures)
    write_json(run.folder / ROBUSTNESS_FILE, robustness)


def fail(run, reason):
    """Writes what a failed run leaves."""
    run.folder.mkdir(parents=True, exist_ok=True)
    (run.folder / "failure.json").write_text(json.dumps({"reason": reason}))


def first_right(count):
    """Returns which predictions are right: those for the first `count` clips."""
    return np.arange(CLIPS) < count
