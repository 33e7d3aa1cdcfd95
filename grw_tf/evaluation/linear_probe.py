"""A linear classifier on a pretrained backbone's features, as a baseline."""

import dataclasses
from pathlib import Path

import numpy as np
import tensorflow as tf
from sklearn.linear_model import LogisticRegressionCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from grw_tf.common.checks import check_positive
from grw_tf.common.flags import option
from grw_tf.common.output_folder import check_writable
from grw_tf.data.records.evaluation_records import EvaluationRecords
from grw_tf.data.records.record_source import RecordSource
from grw_tf.evaluation.measures import measure
from grw_tf.evaluation.predictions import write_results
from grw_tf.models import build_model, preset
from grw_tf.models.backbone import endpoints
from grw_tf.weights.model_variables import with_backbone
from grw_tf.weights.restore import recorded_config, restore

RESULTS_FILE = "results.json"


@dataclasses.dataclass(frozen=True)
class LinearProbeConfig:
    """What to probe; each is a flag."""

    preset: str = option("a0_stream", "Name of the model whose backbone is probed.")
    checkpoint: str = option("", "Checkpoint of the backbone: a name or a path.")
    gating_activation: str = option(
        "", "Gate that the backbone was trained with, if not the model's own."
    )
    train_records: str = option("", "Records to learn from: records/train-*.tfrecord.")
    records: str = option("", "Records to evaluate on: records/test-*.tfrecord.")
    output_dir: str = option("", "Folder for results.json.")
    frames: int = option(16, "Frames of a clip.")
    size: int = option(172, "Height and width of a frame in pixels.")
    fps: float = option(5.0, "Frames a second.")
    batch_size: int = option(8, "Clips in a batch.")

    def __post_init__(self):
        check_positive(
            frames=self.frames, size=self.size, fps=self.fps, batch_size=self.batch_size
        )


def probe(config: LinearProbeConfig) -> dict:
    """Fits a logistic regression on features, and evaluates it.

    A clip's features are the backbone's last features, averaged over its frames. The
    strength of the regression's regularization is chosen by cross-validation, with at
    most as many folds as the rarest class has clips.

    Returns:
        The results, as in results.json, and a "table" of them for people.

    Raises:
        ValueError: If the checkpoint or the records do not fit, or if all training
            clips have the same class.
        OSError: If a file cannot be read or written.
    """
    folder = Path(config.output_dir)
    check_writable(folder)
    model_config = preset(
        config.preset, frames=config.frames, size=config.size, fps=config.fps
    )
    recorded = recorded_config(config.checkpoint)
    if recorded:
        model_config = dataclasses.replace(model_config, frame_fit=recorded.frame_fit)
    if config.gating_activation:
        gate = config.gating_activation
        model_config = with_backbone(model_config, gating_activation=gate)
    patterns = (config.train_records, config.records)
    learned, class_names = (RecordSource(pattern).class_names for pattern in patterns)
    if learned != class_names:
        raise ValueError(
            f"{config.train_records} has the classes {list(learned)[:8]},"
            f" {config.records} {list(class_names)[:8]}: make the records together, or"
            " with the same --labels."
        )
    model_config = dataclasses.replace(model_config, num_classes=len(class_names))
    sets = [EvaluationRecords(pattern, model_config) for pattern in patterns]
    model = build_model(model_config)
    restore(model, config.checkpoint)
    (features, labels), (test_features, test_labels) = (
        _features(model, records.batches(config.batch_size)) for records in sets
    )
    counts = np.unique(labels, return_counts=True)[1]
    if len(counts) < 2:
        raise ValueError(
            f"{config.train_records} has clips of only one class: a classifier needs at"
            " least two."
        )
    regression = make_pipeline(
        StandardScaler(),
        LogisticRegressionCV(
            Cs=np.logspace(-5, 1, 13),
            cv=int(np.clip(counts.min(), 2, 5)),
            max_iter=1000,
            scoring="neg_log_loss",
            l1_ratios=(0,),
            use_legacy_attributes=False,
        ),
    ).fit(features, labels)
    probabilities = np.zeros((len(test_labels), len(class_names)))
    probabilities[:, regression.classes_] = regression.predict_proba(test_features)
    measures = measure(test_labels, probabilities, class_names)
    results = measures.to_dict()
    folder.mkdir(parents=True, exist_ok=True)
    write_results(folder / RESULTS_FILE, results)
    return results | {"table": measures.table()}


def _features(model, batches):
    @tf.function(autograph=False)
    def run(clips):
        last = endpoints(model.backbone, model.clip(clips))["head"]
        return tf.reduce_mean(last, axis=(1, 2, 3))

    features, labels = [], []
    for clips, of_clips, _ in batches:
        features.append(run(tf.constant(clips)).numpy())
        labels.append(of_clips)
    return np.concatenate(features), np.concatenate(labels)
