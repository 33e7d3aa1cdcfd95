"""Finished runs of a comparison, made from drawn logits in place of trainings."""

import json

import cv2
import numpy as np
import tensorflow as tf
from clip_records import write_records
from training_runs import EXPERIMENT, SMOKE_GRW, Options

from grw_tf.common.json_file import write_json
from grw_tf.comparison.config import ComparisonConfig
from grw_tf.comparison.preflight import make_plan
from grw_tf.comparison.run import EMBEDDINGS_FILE, MEASURES_FILE, ROBUSTNESS_FILE
from grw_tf.data.preparation.jpeg_clips import JpegClip
from grw_tf.data.records.sequence_examples import sequence_example
from grw_tf.evaluation.measures import measure
from grw_tf.evaluation.perturbations import PERTURBATIONS
from grw_tf.evaluation.predictions import write_predictions, write_results
from grw_tf.evaluation.streaming import measure_streams

NAMES = ("<script>alert(1)</script>", 'a & "b"', "später $x$", "跳ぶ", "e", "{{ f }}")
"""Names of classes that are markup, code and no ASCII."""

CLIPS, SEEDS = 24, 3
_FRAMES, _FPS, _STEPS = 8, 5.0, (10, 20, 30)
_LABELS = np.arange(CLIPS) % len(NAMES)
_CLIP_NAMES = tuple(f"<i>{k}</i>.mp4" for k in range(CLIPS))


def write_odd_records(folder):
    """Writes records of 24 clips of the classes `NAMES`, and returns their path."""
    jpeg = cv2.imencode(".jpg", np.full((48, 64, 3), 90, np.uint8))[1].tobytes()
    clip = JpegClip([jpeg] * _FRAMES, 48, 64)
    examples = [
        sequence_example(clip, label, NAMES[label], _FPS, name)
        for label, name in zip(_LABELS, _CLIP_NAMES, strict=True)
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
    write_results(
        run.test_folder / "results.json",
        measure(_LABELS, probabilities, NAMES).to_dict()
        | {"streaming": streams.to_dict()},
    )
    kept = np.arange(8)
    z = rng.normal(size=(8, _FRAMES, 5)).cumsum(axis=1).astype(np.float32)
    np.savez_compressed(run.folder / EMBEDDINGS_FILE, z=z, clips=kept)
    for split in ("train", "validation"):
        with tf.summary.create_file_writer(str(run.folder / split)).as_default():
            for step in _STEPS:
                tf.summary.scalar("class_loss", rng.uniform() + 9 / step, step=step)
                tf.summary.scalar("top_1_accuracy", rng.uniform(), step=step)
                if split == "train":
                    tf.summary.scalar("clips_per_second", 20 + step, step=step)
    measures = {
        "start": {"weights": f"w{run.seed}", "clips": f"c{run.seed}", "seed": run.seed},
        "steps": 30,
        "checkpoint": str(run.folder / "best_ckpt"),
        "checkpoint_step": 20,
        "test_clips": CLIPS,
        "training_accuracy": 1.0,
        "order_accuracy": float(rng.uniform()),
        "acceleration_ratio": float(rng.uniform(1, 1.7)),
        "window": 4,
        "embedding": "final",
        "embedded_clips": CLIPS,
        "straightness": float(rng.uniform()),
        "direction_consistency": float(rng.uniform(-0.5, 1.5)),
        "direction_accuracy": float(rng.uniform()),
        # As of embeddings that do not move.
        "displacement_explained": None if "+" in run.variant else -0.1,
    }
    write_json(run.folder / MEASURES_FILE, measures)
    robustness = {each.key: float(rng.uniform()) for each in PERTURBATIONS}
    write_json(run.folder / ROBUSTNESS_FILE, robustness)


def fail(run, reason):
    """Writes what a failed run leaves."""
    run.folder.mkdir(parents=True, exist_ok=True)
    (run.folder / "failure.json").write_text(json.dumps({"reason": reason}))


def first_right(count):
    """Returns which predictions are right: those for the first `count` clips."""
    return np.arange(CLIPS) < count
