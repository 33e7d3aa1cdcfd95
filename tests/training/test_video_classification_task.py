"""Tests of the task's losses."""

import types

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from official.projects.movinet.modeling import movinet

from grw_tf.training.experiments.video_classification import experiment
from grw_tf.training.tasks.video_classification import Task

LABELS = np.eye(3, dtype="float32")[[0, 2, 2, 1]]
OUTPUTS = np.random.default_rng(0).dirichlet(np.ones(3), 4).astype("float32")


@pytest.fixture
def task():
    """A function that makes a task of three classes with some losses."""

    def make(**losses):
        config = experiment("a0_stream").task
        config.override({"model": {"num_classes": 3}, "losses": losses})
        return Task(config)

    return make


def test_weight_decay_is_the_model_gardens(task):
    l2 = tf_keras.regularizers.l2(0.01 / 2)
    model = movinet.Movinet(model_id="nano", kernel_regularizer=l2)
    task = task(l2_weight_decay=0.01, label_smoothing=0.0)
    task._model = model
    losses = task.build_losses(LABELS, OUTPUTS)
    expected = float(tf.add_n(model.losses))
    assert float(losses["weight_decay_loss"]) == pytest.approx(expected, rel=1e-5)
    assert float(losses[task.loss]) == pytest.approx(
        float(losses["class_loss"]) + expected, rel=1e-5
    )


@pytest.mark.parametrize("one_hot", [True, False])
def test_class_weights_weigh_each_clip_in_training_alone(task, one_hot):
    weights = np.array([1.0, 0.5, 3.0], "float32")
    task = task(class_weights=weights.tolist(), label_smoothing=0.0, one_hot=one_hot)
    labels = LABELS if one_hot else LABELS.argmax(-1)
    each = -np.log(OUTPUTS[np.arange(4), LABELS.argmax(-1)])
    unweighted = task.build_losses(labels, OUTPUTS)["class_loss"]
    assert float(unweighted) == pytest.approx(each.mean(), rel=1e-5)
    task._weights = task.class_weights
    weighted = task.build_losses(labels, OUTPUTS)["class_loss"]
    expected = (each * weights[LABELS.argmax(-1)]).mean()
    assert float(weighted) == pytest.approx(expected, rel=1e-5)


def test_penalties_of_layers_are_added(task):
    task = task()
    named = task.build_losses(LABELS, OUTPUTS, [tf.constant(0.5), tf.constant(0.25)])
    assert float(named[task.loss] - named["class_loss"]) == pytest.approx(0.75)


def test_empty_batch_of_a_replica_gives_no_nan(task):
    losses = task().build_losses(LABELS[:0], OUTPUTS[:0])
    assert float(losses["class_loss"]) == 0.0


def test_frozen_all_along_stays_so_after_the_step(task):
    task = task()
    task.task_config.override({"freeze_backbone": True, "unfreeze_step": 5})
    task._model = types.SimpleNamespace(backbone=tf_keras.Sequential())
    assert [task.freeze(step) for step in (0, 5)] == [False, False]
    task.task_config.override({"freeze_backbone": False})
    assert [task.freeze(step) for step in (0, 4, 5)] == [False, False, True]
