"""Tests that a whole training step compiles with XLA, as TPUs need it."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from official.core import train_utils

from grw_tf.layers.stochastic_depth import StochasticDepth
from grw_tf.models import (
    BackboneConfig,
    HeadConfig,
    ModelConfig,
    RegularizationConfig,
    SmoothingConfig,
    build_model,
)
from grw_tf.training.experiments.video_classification import experiment, fill_in
from grw_tf.training.step_random import draw_by_step
from grw_tf.training.tasks.video_classification import Task
from grw_tf.training.trainer import Trainer

LABELS = np.eye(5, dtype="float32")[[0, 4]]
HEAD = HeadConfig(type="transformer", embed_dim=16, num_heads=2, mlp_dim=32)


def _train(model, clip, jit_compile, steps=2):
    """Trains a model's copy, and returns the losses and the weights by name."""
    params = experiment("a0_stream")
    params.task.model.override(dataclasses.asdict(model.config))
    fill_in(params)
    task = Task(params.task)
    copy = task.build_model()
    copy.set_weights(model.get_weights())
    trainer = Trainer(
        params,
        task,
        copy,
        train_utils.create_optimizer(task, params),
        train=True,
        evaluate=False,
        train_dataset=tf.data.Dataset.from_tensors(0),
    )

    @tf.function(jit_compile=jit_compile)
    def step(clips, labels):
        logs = task.train_step(
            ({"image": clips}, labels),
            model=trainer.model,
            optimizer=trainer.optimizer,
            metrics=trainer.train_metrics,
        )
        trainer.train_loss.update_state(logs[task.loss])
        trainer.global_step.assign_add(1)
        return logs[task.loss]

    losses = [step(clip, LABELS).numpy() for _ in range(steps)]
    logs = {m.name: m.result().numpy() for m in trainer.train_metrics}
    return losses, logs, {weight.name: weight.numpy() for weight in copy.weights}


@pytest.mark.parametrize(
    "places",
    [("block0_layer0", "final"), ("final",)],
)
@pytest.mark.slow
def test_compiled_step_is_the_step(nano, clip, places):
    smoothing = SmoothingConfig(layers=places, window=4)
    model = nano(head=HEAD, smoothing=smoothing)
    losses, logs, weights = _train(model, clip, jit_compile=False)
    compiled_losses, compiled_logs, compiled_weights = _train(model, clip, True)
    np.testing.assert_allclose(compiled_losses, losses, rtol=1e-5)
    assert compiled_logs.keys() == logs.keys()
    for name, value in logs.items():
        np.testing.assert_allclose(compiled_logs[name], value, rtol=1e-4, err_msg=name)
    before = {weight.name: weight.numpy() for weight in model.weights}
    moved = 0
    for name, weight in weights.items():
        np.testing.assert_allclose(
            compiled_weights[name], weight, rtol=1e-4, atol=1e-4, err_msg=name
        )
        moved += np.abs(weight - before[name]).max() > 5e-5
    assert moved > 20


@pytest.mark.slow
@pytest.mark.parametrize(
    "model_id",
    ["nano", "slowonly_nano", "slowfast_nano", "csn_nano", "mobilenet_v3_small"],
)
def test_regularised_step_compiles(model_id):
    regularization = RegularizationConfig(methods=("rms", "shake_drop"))
    model = build_model(
        ModelConfig(
            backbone=BackboneConfig.of_family(model_id),
            regularization=regularization,
            num_classes=3,
            frames=4,
            size=32,
        )
    )

    @tf.function(jit_compile=True)
    def step(clips):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(model(clips, training=True) ** 2)
        return loss, tape.gradient(loss, model.trainable_variables)

    loss, gradients = step(tf.random.uniform((2, 4, 32, 32, 3)))
    assert np.isfinite(loss)
    assert all(np.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.slow
def test_compiled_dropout_draws_by_the_step():
    # XLA draws by another algorithm, so other numbers.
    step = tf.Variable(0, dtype=tf.int64)
    model = tf_keras.Sequential([StochasticDepth(0.5)])
    draw_by_step(model, seed=0, step=step)
    draw = tf.function(lambda: model(tf.ones((64, 1)), training=True), jit_compile=True)
    first, again = draw().numpy(), draw().numpy()
    step.assign_add(1)
    second = draw().numpy()
    np.testing.assert_array_equal(again, first)
    assert (second != first).any()
    assert set(first.flat) | set(second.flat) == {0, 2}
