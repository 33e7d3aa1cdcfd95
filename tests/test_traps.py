"""Tests of smoothing through whole models, where a penalty can vanish or stray."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from everyday import slow_but
from official.vision.configs import video_classification
from official.vision.tasks.video_classification import VideoClassificationTask

from grw_tf.losses import cut_windows, grw_loss
from grw_tf.models import HeadConfig, SmoothingConfig

LABELS = tf.one_hot([1, 3], 5)
HEADS = {
    "official": HeadConfig(),
    "mean": HeadConfig(type="mean", embed_dim=16),
    "transformer": HeadConfig(
        type="transformer", embed_dim=16, num_heads=2, mlp_dim=32
    ),
}
PLACES = {
    "official": ("stem", "block1_layer1"),
    "mean": ("block0_layer0", "final"),
    "transformer": ("block0_layer0", "head", "final"),
}


@pytest.fixture(params=slow_but(["transformer"], HEADS))
def model(request, nano):
    smoothing = SmoothingConfig(layers=PLACES[request.param], window=4)
    return nano(head=HEADS[request.param], smoothing=smoothing)


@pytest.fixture
def task():
    return VideoClassificationTask(video_classification.VideoClassificationTask())


def test_every_penalty_is_there_and_its_gradient_reaches_the_backbone(model, clip):
    @tf.function
    def gradients():
        with tf.GradientTape(persistent=True) as tape:
            model(clip, training=True)
            losses = model.losses
        stem = model.backbone.trainable_variables[2]
        assert "stem" in stem.name and "kernel" in stem.name
        return [tape.gradient(loss, stem) for loss in losses]

    all_gradients = gradients()
    assert len(all_gradients) == len(model.config.smoothing.layers)
    for gradient in all_gradients:
        assert np.isfinite(gradient).all() and np.any(gradient)


@pytest.mark.parametrize("head", slow_but(["transformer"], ["mean", "transformer"]))
def test_penalty_of_the_embeddings_is_the_loss_of_the_embeddings(nano, clip, head):
    smoothing = SmoothingConfig(layers=("final",), window=4)
    model = nano(fresh=True, head=HEADS[head], smoothing=smoothing)
    model.backbone.trainable = False  # Its batch normalizations are then as in test.
    model(clip, training=True)
    loss = tf.reduce_mean(grw_loss(cut_windows(model.embed(clip), 4)))
    np.testing.assert_allclose(model.losses[0], 0.1 * loss, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_garden_sums_the_penalty_in_training_and_never_in_validation(
    model, clip, task, mode
):
    wrap = tf.function if mode == "graph" else lambda step: step
    optimizer = tf_keras.optimizers.SGD(0.0)
    inputs = {"image": tf.constant(clip)}, LABELS
    train = wrap(lambda: task.train_step(inputs, model, optimizer))
    validate = wrap(lambda: task.validation_step(inputs, model))

    for _ in range(2):
        logs = train()
        assert len(logs["reg_loss"]) == len(model.config.smoothing.layers)
        expected = logs["class_loss"] + sum(logs["reg_loss"])
        np.testing.assert_allclose(logs["loss"], expected, rtol=1e-6)
        assert (np.array(logs["reg_loss"]) > 0).all()

        logs = validate()
        assert "reg_loss" not in logs
        np.testing.assert_array_equal(logs["loss"], logs["class_loss"])


@pytest.mark.slow
def test_fit_logs_the_losses_under_their_own_names(nano, clip):
    smoothing = SmoothingConfig(layers=("block0_layer0", "final"), window=4)
    model = nano(fresh=True, head=HEADS["transformer"], smoothing=smoothing)
    model.compile(
        tf_keras.optimizers.SGD(1e-3),
        tf_keras.losses.CategoricalCrossentropy(from_logits=True),
        [tf_keras.metrics.CategoricalCrossentropy("entropy", from_logits=True)],
    )
    data = clip, LABELS
    history = model.fit(*data, validation_data=data, epochs=2, verbose=0).history
    for epoch in range(2):
        logs = {name: values[epoch] for name, values in history.items()}
        for name in ("grw", "grw_block0_layer0"):
            assert logs[f"{name}_loss"] > 0
            assert logs[f"{name}_velocity"] > 0
            assert 0 <= logs[f"{name}_order_accuracy"] <= 1
        penalties = 0.1 * (logs["grw_loss"] + logs["grw_block0_layer0_loss"])
        np.testing.assert_allclose(logs["loss"], logs["entropy"] + penalties, rtol=1e-5)
        np.testing.assert_allclose(logs["val_loss"], logs["val_entropy"], rtol=1e-5)


@pytest.mark.parametrize(
    "policy",
    [pytest.param("mixed_float16", marks=pytest.mark.slow), "mixed_bfloat16"],
)
def test_losses_are_float32_under_mixed_precision(nano, clip, policy):
    tf_keras.mixed_precision.set_global_policy(policy)
    try:
        smoothing = SmoothingConfig(layers=("block0_layer0", "final"), window=4)
        model = nano(fresh=True, head=HEADS["transformer"], smoothing=smoothing)
    finally:
        tf_keras.mixed_precision.set_global_policy("float32")
    with tf.GradientTape() as tape:
        logits = model(clip, training=True)
        penalty = tf.add_n(model.losses)
    assert logits.dtype == penalty.dtype == tf.float32
    gradient = tape.gradient(penalty, model.backbone.trainable_variables[0])
    assert np.isfinite(penalty) and np.isfinite(gradient).all()


def test_embeddings_that_are_not_finite_are_reported(nano, clip):
    smoothing = SmoothingConfig(layers=("block0_layer0", "final"), window=4)
    model = nano(scratch=True, head=HEADS["transformer"], smoothing=smoothing)
    model.affine.bias.assign(model.affine.bias * np.nan)
    with pytest.raises(tf.errors.InvalidArgumentError, match="'grw' are not finite"):
        model(clip, training=True)
