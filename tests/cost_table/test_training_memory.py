"""Tests of the estimated memory of training steps."""

import dataclasses

import pytest
import tensorflow as tf
import tf_keras
from toy_backbones import BACKBONES

from grw_tf.cost_table.peak_memory import peak_memory
from grw_tf.cost_table.training_memory import (
    GB,
    TrainingMemory,
    memory_text,
    training_memory,
)
from grw_tf.models import BackboneConfig, ModelConfig
from grw_tf.training.step_timing import experiment_of


def _config(model_id="nano", **fields):
    backbone = BackboneConfig(**{"model_id": model_id} | dict(BACKBONES[model_id]))
    config = ModelConfig(backbone=backbone, num_classes=5, frames=8, size=64)
    return dataclasses.replace(config, **fields)


def test_gradients_need_what_the_forward_pass_made():
    first, second = tf.Variable(tf.ones((10, 20))), tf.Variable(tf.ones((20, 30)))

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            h = tf.nn.relu(x @ first)
            loss = tf.reduce_sum((h @ second) ** 2)
        return tape.gradient(loss, [first, second])

    found = peak_memory(step.get_concrete_function(tf.TensorSpec((4, 10))))
    # At the end of the backward pass: the clips, what relu gave and took, and gradients
    # of both weights and of what relu gave.
    x, h, weights = 4 * 10, 4 * 20, 10 * 20 + 20 * 30
    assert 4 * (x + h + weights) <= found.peak <= 4 * (x + 3 * h + weights)


def test_batches_fill_a_device():
    memory = TrainingMemory(fixed=GB, per_clip=GB // 2)
    assert memory.of(4) == 3 * GB
    # 7.2 GB, less 1 for the weights.
    assert memory.largest_batch(8) == 12
    assert memory.largest_batch(1) == 0


@pytest.mark.slow
def test_memory_is_that_of_frames_precision_and_recomputed_blocks():
    kept = training_memory(_config())
    longer = training_memory(_config(frames=16))
    assert longer.per_clip == pytest.approx(2 * kept.per_clip, rel=0.1)
    half = training_memory(_config(), "bfloat16")
    assert 0.4 < half.per_clip / kept.per_clip < 0.75
    backbone = dataclasses.replace(_config().backbone, recompute=True)
    recomputed = training_memory(_config(backbone=backbone))
    assert recomputed.per_clip < 0.8 * kept.per_clip
    assert longer.fixed == half.fixed == recomputed.fixed == kept.fixed
    assert tf_keras.mixed_precision.global_policy().name == "float32"


@pytest.mark.slow
def test_text_compares_what_the_family_can():
    params = experiment_of(_config())
    params.task.train_data.global_batch_size = 6
    params.runtime.num_gpus = 2
    _, titles, kept, recomputed = memory_text(params).splitlines()
    assert "3 clips" in titles and titles.endswith("80 GB")
    assert kept.startswith("kept (this config)") and recomputed.startswith("recomputed")
    largest = [list(map(int, row.split()[-4:])) for row in (kept, recomputed)]
    assert all(a < b for a, b in zip(*largest, strict=True))
    mobilenet = experiment_of(_config("mobilenet_v3_small"))
    assert "recomputed" not in memory_text(mobilenet)
