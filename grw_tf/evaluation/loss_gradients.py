"""Measures how hard the classification loss and GRW smoothing pull at the weights."""

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
import tf_keras
import tqdm

from grw_tf.common.checks import check_positive
from grw_tf.common.flags import option
from grw_tf.data.records.evaluation_records import EvaluationRecords
from grw_tf.evaluation.inference import check_one_label
from grw_tf.evaluation.rms_options import listed
from grw_tf.models.config import SmoothingConfig
from grw_tf.models.smoothing import FINAL
from grw_tf.weights.restore import load_model, recorded_config
from grw_tf.weights.run_directory import best_checkpoint


@dataclasses.dataclass(frozen=True)
class LossGradientsConfig:
    """What to measure; each is a flag."""

    checkpoint_dir: str = option(
        "",
        "--model_dir of a training, or a checkpoint that records its config. Several"
        " are separated by commas.",
    )
    records: str = option("", "Records to measure on: records/train-*.tfrecord.")
    layers: str = option(
        FINAL, f"Where smoothing acts: {FINAL}, and names of backbone endpoints."
    )
    window: int = option(0, "Frames of a window; 0 for the training's.")
    batch_size: int = option(8, "Clips in a batch.")
    batches: int = option(16, "Number of batches.")

    def __post_init__(self):
        check_positive(batch_size=self.batch_size, batches=self.batches)
        if self.window < 0:
            raise ValueError(
                f"window is {self.window}: give the frames of a window, or 0 for the"
                " training's."
            )
        for name in ("checkpoint_dir", "layers"):
            if not listed(getattr(self, name)):
                raise ValueError(
                    f"{name} is {getattr(self, name)!r}: name at least one."
                )


@dataclasses.dataclass(frozen=True)
class PartGradients:
    """Gradients of both losses at one part of a model, as means over batches.

    Attributes:
        classification, smoothing: Norms of the gradients of the classification loss
            and of the GRW loss at weight 1.
        cosine: Cosine of the angle between them: negative where a step that reduces
            one loss increases the other.
    """

    classification: float
    smoothing: float
    cosine: float

    @property
    def balance(self) -> float:
        """The weight at which both norms are equal; infinite where none smooths."""
        return self.classification / self.smoothing if self.smoothing else math.inf


def measure_loss_gradients(config: LossGradientsConfig) -> str:
    """Returns a table of both gradients at each checkpoint's backbone and head.

    Raises:
        ValueError: If there is no such model, it has no such layers or several labels
            a clip, or the records do not fit it.
        OSError: If a file cannot be read.
    """
    tables = []
    for place in listed(config.checkpoint_dir):
        model = _model_with_smoothing(place, config)
        records = EvaluationRecords(config.records, model.config, progress=False)
        batches = itertools.islice(records.batches(config.batch_size), config.batches)
        clips = [(clips, labels) for clips, labels, _ in batches]
        tables.append(
            _table(place, model.config.smoothing, loss_gradients(model, clips))
        )
    return "\n\n".join(tables)


def loss_gradients(
    model: tf_keras.Model, batches: Sequence[tuple]
) -> Mapping[str, PartGradients]:
    """Returns the gradients at a model's "backbone" and its "head".

    The model runs as in training, with the statistics of each batch, which its moving
    statistics take up, and with dropout.

    Args:
        model: A model of `build_model` with GRW smoothing at weight 1, and no other
            loss of its own.
        batches: Clips [batch, frames, size, size, 3] in 0..1, and labels [batch].
    """
    parts = _parts(model)
    gradients = _gradients_function(model, parts)
    found: dict[str, list] = {name: [] for name in parts}
    for clips, labels in tqdm.tqdm(batches, "Gradients", leave=False):
        values = gradients(tf.constant(clips), tf.constant(labels))
        for name, of_part in zip(parts, values, strict=True):
            found[name].append(of_part.numpy())
    return {name: _mean(rows) for name, rows in found.items()}


def _model_with_smoothing(place, config):
    checkpoint = best_checkpoint(place)
    recorded = recorded_config(checkpoint)
    trained = recorded.smoothing if recorded else SmoothingConfig()
    smoothing = dataclasses.replace(
        trained,
        layers=listed(config.layers),
        window=config.window or trained.window,
        weight=1.0,
        warmup_steps=0,
    )
    model = load_model(checkpoint, smoothing=smoothing)
    check_one_label(model.config, "Gradients are those of the loss for one class")
    return model


def _parts(model):
    """Returns the trained variables of the backbone, and all others."""
    backbone = model.backbone.trainable_variables
    inside = {id(variable) for variable in backbone}
    head = [v for v in model.trainable_variables if id(v) not in inside]
    return {"backbone": backbone, "head": head}


def _gradients_function(model, parts):
    @tf.function(autograph=False)
    def run(clips, labels):
        with tf.GradientTape(persistent=True) as tape:
            logits = tf.cast(model(clips, training=True), tf.float32)
            classification = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            )
            smoothing = tf.add_n(model.losses)
        return [
            _norms_and_product(
                *(
                    tape.gradient(
                        loss,
                        variables,
                        unconnected_gradients=tf.UnconnectedGradients.ZERO,
                    )
                    for loss in (classification, smoothing)
                )
            )
            for variables in parts.values()
        ]

    return run


def _norms_and_product(first, second):
    product = tf.add_n(
        [tf.reduce_sum(a * b) for a, b in zip(first, second, strict=True)]
    )
    return tf.stack(
        [tf.linalg.global_norm(first), tf.linalg.global_norm(second), product]
    )


def _mean(rows):
    classification, smoothing, product = np.array(rows, np.float64).T
    cosine = product / np.maximum(classification * smoothing, np.finfo(float).tiny)
    return PartGradients(*map(float, map(np.mean, (classification, smoothing, cosine))))


def _table(place, smoothing, parts: Mapping[str, PartGradients]) -> str:
    layers = ", ".join(smoothing.layers)
    lines = (
        f"{name:8}  {part.classification:14.3g}  {part.smoothing:9.3g}"
        f"  {part.balance:15.2g}  {part.cosine:+6.2f}"
        for name, part in parts.items()
    )
    return "\n".join(
        [
            f"{place}: smoothing of {layers}, windows of {smoothing.window} frames",
            "part      classification  smoothing  equal at weight  cosine",
            *lines,
        ]
    )
