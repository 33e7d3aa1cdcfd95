"""Checks with two virtual devices, to be set before anything else uses TensorFlow."""

import functools

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from official.vision.configs import video_classification
from official.vision.tasks.video_classification import VideoClassificationTask

from grw_tf.models import HeadConfig, SmoothingConfig

SMOOTHING = SmoothingConfig(layers=("block0_layer0", "final"), window=4, weight=0.5)
HEAD = HeadConfig(type="transformer", embed_dim=16, num_heads=2, mlp_dim=32)
CLIPS = np.random.default_rng(0).random((4, 8, 32, 32, 3), "float32")
LABELS = np.eye(5, dtype="float32")[[0, 4, 2, 2]]


@functools.cache
def _strategy(replicas):
    # A second one of the same devices would give its reductions the keys of the first.
    return tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(replicas)])


def _train_step(nano, weights, replicas, recompute=False):
    """Trains for a step of the Model Garden's task.

    Returns:
      The logs, meaned over replicas, and the weights by name before and after.
    """
    strategy = _strategy(replicas)
    task = VideoClassificationTask(video_classification.VideoClassificationTask())
    with strategy.scope():
        model = nano(
            fresh=True,
            head=HEAD,
            smoothing=SMOOTHING,
            backbone={"recompute": recompute},
        )
        model.set_weights(weights)
        optimizer = tf_keras.optimizers.SGD(1.0)
    before = {weight.name: weight.numpy() for weight in model.weights}

    def shard(context):
        i, size = context.replica_id_in_sync_group, len(CLIPS) // replicas
        part = slice(i * size, (i + 1) * size)
        return {"image": tf.constant(CLIPS[part])}, tf.constant(LABELS[part])

    @tf.function
    def step(inputs):
        return strategy.run(task.train_step, (inputs, model, optimizer))

    logs = step(strategy.experimental_distribute_values_from_function(shard))
    logs = tf.nest.map_structure(
        lambda log: strategy.reduce("MEAN", log, axis=None).numpy(), logs
    )
    after = {weight.name: weight.numpy() for weight in model.weights}
    return logs, before, after


@pytest.fixture(scope="module")
def runs(nano):
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * 2
    )
    model = nano(head=HEAD, smoothing=SMOOTHING)
    for weight in model.weights:
        if "moving_variance" in weight.name:
            weight.assign(tf.ones_like(weight))
    return [_train_step(nano, model.get_weights(), replicas) for replicas in (1, 2)]


@pytest.fixture(scope="module")
def recomputed(runs, nano):
    """A step on two replicas with recomputed blocks, from the same weights."""
    _, before, _ = runs[1]
    return _train_step(nano, list(before.values()), 2, recompute=True)


def test_losses_are_the_same(runs):
    (one, _, _), (two, _, _) = runs
    assert len(one["reg_loss"]) == 2
    # Keras' synchronised variance is E[x^2] - E[x]^2, and so less accurate.
    np.testing.assert_allclose(one["reg_loss"], two["reg_loss"], rtol=1e-4)
    np.testing.assert_allclose(one["loss"], two["loss"], rtol=1e-4)


def test_gradients_are_the_same(runs):
    (_, before, one), (_, _, two) = runs
    moved = 0
    for name, start in before.items():
        if "moving_" in name:
            continue
        steps = one[name] - start, two[name] - start
        scale = np.abs(steps[0]).max()
        np.testing.assert_allclose(*steps, rtol=0, atol=1e-3 * scale + 1e-5)
        moved += scale > 1e-4
    assert moved > 20


def test_moving_statistics_are_those_of_the_whole_batch(runs):
    (_, before, one), (_, _, two) = runs
    names = [name for name in before if name.startswith("grw_block0_layer0/")]
    assert len(names) == 2
    for name in names:
        assert (one[name] != before[name]).any()
        np.testing.assert_allclose(one[name], two[name], rtol=1e-4)


def test_recomputed_blocks_train_the_same(runs, recomputed):
    (logs, before, after), (new_logs, new_before, new_after) = runs[1], recomputed
    assert list(before) == list(new_before)
    np.testing.assert_allclose(new_logs["loss"], logs["loss"], rtol=1e-6)
    for name, value in after.items():
        # Sums over replicas are rounded differently from run to run.
        atol = 1e-5 * max(np.abs(value - before[name]).max(), 1)
        np.testing.assert_allclose(new_after[name], value, rtol=0, atol=atol)
