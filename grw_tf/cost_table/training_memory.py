"""Estimates the memory of a training step from its graph."""

import dataclasses
import functools
import math
from collections.abc import Sequence

import tensorflow as tf
import tf_keras
from official.core import config_definitions as cfg

from grw_tf.common.text_table import text_table
from grw_tf.cost_table.peak_memory import peak_memory
from grw_tf.models import ModelConfig, build_model
from grw_tf.training.experiments.yaml_config import frozen

GB = 10**9
DEVICES = (8, 16, 24, 80)
"""Gigabytes of common accelerators."""

FREE = 0.1
"""The share of a device that is left for what the graph does not show.

That is the runtime's own memory, working space of convolutions, and gaps.
"""

# Weights, gradients, two moments of AdamW and the moving average.
_COPIES = 5


@dataclasses.dataclass(frozen=True)
class TrainingMemory:
    """Bytes of a training step.

    Attributes:
        fixed: Weights, gradients, and what the optimizer keeps of each weight.
        per_clip: Activations at the peak, for each clip of the batch.
    """

    fixed: int
    per_clip: int

    def of(self, batch: int) -> int:
        """Returns the bytes of a step with a batch on one device."""
        return self.fixed + batch * self.per_clip

    def largest_batch(self, gigabytes: float) -> int:
        """Returns how many clips fit into a device, 0 if none does."""
        left = (1 - FREE) * gigabytes * GB - self.fixed
        return max(0, int(left // self.per_clip))


def training_memory(config: ModelConfig, precision: str = "float32") -> TrainingMemory:
    """Estimates the memory of a model's training step, with all layers training.

    The step is traced and not run: see `peak_memory` for the rules.

    Args:
        config: The model.
        precision: The type that it computes in: float32, bfloat16 or float16.
    """
    policy = tf_keras.mixed_precision.global_policy()
    mixed = precision if precision == "float32" else f"mixed_{precision}"
    tf_keras.mixed_precision.set_global_policy(mixed)
    try:
        model = build_model(config)
    finally:
        tf_keras.mixed_precision.set_global_policy(policy)

    @functools.partial(tf.function, autograph=False)
    def gradients(clips, labels):
        with tf.GradientTape() as tape:
            logits = tf.cast(model(clips, training=True), tf.float32)
            loss = tf_keras.losses.categorical_crossentropy(labels, logits, True)
            loss = tf.reduce_mean(loss) + sum(model.losses)
        return tape.gradient(loss, model.trainable_weights)

    clips = (1, config.frames, config.size, config.size, 3)
    step = gradients.get_concrete_function(
        tf.TensorSpec(clips), tf.TensorSpec((1, config.num_classes))
    )
    weights = sum(4 * weight.shape.num_elements() for weight in model.weights)
    return TrainingMemory(fixed=_COPIES * weights, per_clip=peak_memory(step).peak)


def memory_text(params: cfg.ExperimentConfig) -> str:
    """Returns what a training takes, and the largest batches, as text.

    The batch is that of one GPU of `runtime.num_gpus`.

    Args:
        params: The experiment, as `parse_experiment` returns it.
    """
    config = frozen(params.task.model, ModelConfig)
    precision = params.runtime.mixed_precision_dtype or "float32"
    batch = params.task.train_data.global_batch_size
    batch = math.ceil(batch / max(1, params.runtime.num_gpus))
    rows: list[Sequence[str]] = [
        ("blocks", "a clip", f"{batch} clips", *(f"{size} GB" for size in DEVICES))
    ]
    for name, recompute in (("kept", False), ("recomputed", True)):
        backbone = dataclasses.replace(config.backbone, recompute=recompute)
        try:
            found = training_memory(
                dataclasses.replace(config, backbone=backbone), precision
            )
        except ValueError:
            if recompute == config.backbone.recompute:
                raise
            # The family has no blocks that could be recomputed.
            continue
        chosen = " (this config)" if recompute == config.backbone.recompute else ""
        rows.append(
            (
                name + chosen,
                f"{found.per_clip / GB:.2f} GB",
                f"{found.of(batch) / GB:.1f} GB",
                *(str(found.largest_batch(size)) for size in DEVICES),
            )
        )
    return (
        f"Memory of a training step by estimate from the graph: {config.frames} frames"
        f" of {config.size} px in {precision}, all layers training. Below the memory of"
        " a GPU: the most clips that it takes at once, with a tenth of it left free.\n"
        + text_table(rows, "<" + ">" * (len(rows[0]) - 1))
    )
