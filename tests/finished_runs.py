"""Finished runs of a comparison, made from drawn logits in place of trainings."""

import json

import numpy as np
import tensorflow as tf

from grw_tf.comparison.run import EMBEDDINGS_FILE, MEASURES_FILE
from grw_tf.data.manifest import write_json
from grw_tf.evaluation.measures import measure
from grw_tf.evaluation.predictions import write_predictions, write_results
from grw_tf.evaluation.streaming import measure_streams

_STEPS = (10, 20, 30)


def finish(run, labels, names, class_names, right, seed=0, fps=5.0, frames=6):
    """Writes what a run leaves, with given right predictions.

    Args:
      run: a `Run`.
      labels: [clips].
      names: of the clips.
      class_names: of the classes.
      right: bool [clips], which predictions are right at the end.
      seed: of the rest.
      fps, frames: of the clips.
    """
    rng = np.random.default_rng(seed)
    labels, classes = np.asarray(labels), len(class_names)
    predicted = np.where(right, labels, (labels + 1) % classes)
    logits = rng.normal(size=(len(labels), frames, classes))
    logits[np.arange(len(labels)), -1, predicted] = 9.0
    probabilities = tf.nn.softmax(logits[:, -1]).numpy()
    streams = measure_streams(logits, labels, fps)
    run.test_folder.mkdir(parents=True, exist_ok=True)
    write_predictions(run.predictions, names, labels, probabilities, class_names)
    write_results(
        run.test_folder / "results.json",
        measure(labels, probabilities, class_names).to_dict()
        | {"streaming": streams.to_dict()},
    )
    kept = np.arange(min(8, len(labels)))
    z = rng.normal(size=(len(kept), frames, 5)).cumsum(axis=1).astype(np.float32)
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
        "test_clips": len(labels),
        "order_accuracy": float(rng.uniform()),
        "acceleration_ratio": float(rng.uniform(1, 1.7)),
        "window": 4,
        "embedding": "final",
        "embedded_clips": len(labels),
    }
    write_json(run.folder / MEASURES_FILE, measures)


def fail(run, reason):
    """Writes what a failed run leaves."""
    run.folder.mkdir(parents=True, exist_ok=True)
    (run.folder / "failure.json").write_text(json.dumps({"reason": reason}))
