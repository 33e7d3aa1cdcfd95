"""Checks of training on two virtual devices, to be set before TensorFlow is used."""

import os

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from training_runs import options, scalars, values

from grw_tf.training import driver
from grw_tf.training.tasks.video_classification import Task

# All that batch statistics of one replica alone would change, and nothing random, as
# replicas draw differently: skip connections, smoothing inside and at the end.
MODEL = {"smoothing": {"layers": ["block0_layer0", "final"]}}
STEPS = 10


@pytest.fixture(scope="module", autouse=True)
def two_devices():
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * 2
    )


@pytest.fixture
def train(tmp_path, monkeypatch):
    """A function that trains on some replicas, and returns losses and weights."""

    def run(replicas, mode, records="RECORDS", scalar="loss", **model):
        devices = [f"CPU:{i}" for i in range(replicas)]
        monkeypatch.setattr(
            driver, "build_strategy", lambda _: tf.distribute.MirroredStrategy(devices)
        )
        folder = tmp_path / str(replicas)
        override = {
            "task": {"model": MODEL | model},
            "trainer": {
                "train_steps": STEPS,
                "steps_per_loop": 1,
                "summary_interval": 1,
                "validation_interval": STEPS,
                "batch_norm_recalibration": 12,
            },
        }
        driver.run_experiment(options(os.environ[records], folder, override, mode=mode))
        return scalars(folder, scalar), values(folder)

    return run


@pytest.fixture
def in_float64(monkeypatch):
    """Lets models compute in float64, so that nothing is left but real differences."""
    build_model, build_losses = Task.build_model, Task.build_losses

    def double_model(task):
        tf_keras.mixed_precision.set_global_policy("float64")
        try:
            return build_model(task)
        finally:
            tf_keras.mixed_precision.set_global_policy("float32")

    def single_losses(task, labels, model_outputs, aux_losses=None):
        aux_losses = [tf.cast(loss, tf.float32) for loss in aux_losses or []]
        return build_losses(task, labels, model_outputs, aux_losses)

    monkeypatch.setattr(Task, "build_model", double_model)
    monkeypatch.setattr(Task, "build_losses", single_losses)


def _check_same(one, two, tolerance):
    (losses_one, weights_one), (losses_two, weights_two) = one, two
    assert losses_one.keys() == losses_two.keys()
    for key, loss in losses_one.items():
        np.testing.assert_allclose(losses_two[key], loss, rtol=tolerance, err_msg=key)
    assert weights_one.keys() == weights_two.keys()
    for key, weight in weights_one.items():
        np.testing.assert_allclose(
            weights_two[key], weight, rtol=tolerance, atol=tolerance, err_msg=key
        )


def test_two_replicas_give_the_losses_and_weights_of_one(train, in_float64):
    one, two = train(1, "train"), train(2, "train")
    for name in ("training_loss", "class_loss", "grw_loss", "grw_block0_layer0_loss"):
        assert ("train", name, STEPS) in one[0]
    _check_same(one, two, 1e-5)


@pytest.mark.slow
def test_in_float32_they_differ_by_rounding_alone(train):
    # Keras' synchronised variance is E[x^2] - E[x]^2, and so loses digits; AdamW makes
    # much of the smallest gradients.
    one, two = train(1, "train_and_eval"), train(2, "train_and_eval")
    assert ("validation", "class_loss", STEPS) in one[0]
    _check_same(one, two, 1e-4)


@pytest.mark.slow
def test_several_labels_are_measured_alike(train, in_float64):
    labels = {"records": "LABELED_RECORDS", "scalar": ""}
    one, two = (
        train(n, "train_and_eval", output_activation="sigmoid", **labels)
        for n in (1, 2)
    )
    names = ("mean_average_precision", "best_threshold/red", "micro_f1")
    assert {("validation", name, STEPS) for name in names} <= one[0].keys()
    measured = [
        {key: value for key, value in run[0].items() if key[0] == "validation"}
        for run in (one, two)
    ]
    assert measured[1] == pytest.approx(measured[0], rel=1e-4)
