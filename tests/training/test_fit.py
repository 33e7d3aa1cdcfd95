"""Tests of training that can be killed and run again."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from grw_tf.data.labelled_videos import LabelledVideos
from grw_tf.layers import GRWSmoothing
from grw_tf.models import ModelConfig
from grw_tf.models.regularization_config import RegularizationConfig
from grw_tf.training import fit as fit_lib
from grw_tf.training.fit import FitConfig, fit


class TinyModel(tf_keras.Model):
    """A model that traces in a moment, where building a MoViNet takes many seconds."""

    config = ModelConfig(num_classes=2, frames=4, size=32)

    def __init__(self):
        super().__init__()
        self._embed = tf_keras.layers.Dense(8)
        self._smoothing = GRWSmoothing(window=4, name="grw")
        self._norm = tf_keras.layers.BatchNormalization()
        self._dropout = tf_keras.layers.Dropout(0.5)
        self._classify = tf_keras.layers.Dense(2)

    def call(self, clips, training=None):
        frames = clips[:, :, ::4, ::4, :]
        z = self._embed(tf.reshape(frames, (-1, 4, 8 * 8 * 3)))
        z = self._norm(self._smoothing(z, training=training), training=training)
        z = self._dropout(z, training=training)
        return self._classify(tf.reduce_mean(z, axis=1))


class TinyCutMixModel(TinyModel):
    config = dataclasses.replace(
        TinyModel.config, regularization=RegularizationConfig(methods=("cutmix",))
    )


TRAINING = FitConfig(
    epochs=2, batch_size=4, learning_rate=1e-3, batch_norm_recalibration=6
)


@pytest.fixture(scope="module")
def videos():
    rng = np.random.default_rng(0)
    return LabelledVideos(
        rng.integers(0, 256, (10, 4, 32, 32, 3), np.uint8),
        np.arange(10) % 2,
        ("a", "b"),
    )


def _fit(run_dir, videos, training=TRAINING, seed=0, model_class=TinyModel):
    tf_keras.utils.set_random_seed(seed)
    model = model_class()
    model(tf.zeros((1, 4, 32, 32, 3)))
    return model, fit(model, videos, videos, training, run_dir, "test")


def _without_times(history):
    return [{k: v for k, v in epoch.items() if k != "seconds"} for epoch in history]


@pytest.fixture(scope="module")
def whole_run(videos, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("run")
    return run_dir, *_fit(run_dir, videos)


def test_history_names_each_loss_and_metric(whole_run):
    _, _, history = whole_run
    assert len(history) == TRAINING.epochs
    assert {
        "loss",
        "accuracy",
        "grw_loss",
        "grw_velocity",
        "grw_order_accuracy",
        "test_accuracy",
        "seconds",
    } <= set(history[0])


def test_killed_run_goes_on_to_the_same_weights(
    whole_run, videos, tmp_path, monkeypatch
):
    _, model, history = whole_run
    one_epoch = fit_lib._epoch

    def killed_in_second_epoch(*arguments):
        *_, epoch, _ = arguments
        if epoch == 1:
            raise KeyboardInterrupt
        return one_epoch(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(fit_lib, "_epoch", killed_in_second_epoch)
        with pytest.raises(KeyboardInterrupt):
            _fit(tmp_path, videos)
    resumed, resumed_history = _fit(tmp_path, videos)

    for mine, theirs in zip(resumed.weights, model.weights, strict=True):
        np.testing.assert_array_equal(mine, theirs, err_msg=mine.name)
    assert _without_times(resumed_history) == _without_times(history)


def test_short_training_is_judged_by_its_weights_not_by_lagging_statistics(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.arange(24) % 2
    dark_and_bright = 100 + 40 * labels[:, None, None, None, None]
    clips = dark_and_bright + rng.integers(-60, 60, (24, 4, 32, 32, 3))
    videos = LabelledVideos(clips.astype("uint8"), labels, ("dark", "bright"))
    plain = FitConfig(epochs=6, batch_size=4, learning_rate=1e-2)
    model, lagging = _fit(tmp_path / "lagging", videos, plain)
    config = dataclasses.replace(plain, batch_norm_recalibration=24)
    estimated_model, estimated = _fit(tmp_path / "estimated", videos, config)
    assert lagging[-1]["test_accuracy"] < 0.75
    assert estimated[-1]["test_accuracy"] == 1.0
    assert estimated[-1]["test_loss"] < 0.5 * lagging[-1]["test_loss"]
    # Training was the same, and the model comes with the estimates.
    assert [e["loss"] for e in estimated] == [e["loss"] for e in lagging]
    for weight, other in zip(
        estimated_model.trainable_weights, model.trainable_weights, strict=True
    ):
        np.testing.assert_array_equal(weight, other)
    logits = estimated_model.predict(videos.batches(4), verbose=0)
    np.testing.assert_array_equal(logits.argmax(axis=1), labels)


def test_mixing_is_another_in_each_epoch_and_the_same_again(videos):
    mix = fit_lib.clip_mixing(fit_lib.DataConfig(), TinyCutMixModel.config)

    def mixed(epoch):
        ((clips, labels),) = fit_lib._mixed(videos.batches(10), mix, 0, epoch)
        return clips.numpy(), labels.numpy()

    (clips, labels), (other_clips, _), (again, _) = mixed(0), mixed(1), mixed(0)
    assert labels.shape == (10, 2)
    np.testing.assert_allclose(labels.sum(axis=1), 1, rtol=1e-6)
    assert (clips != other_clips).any()
    np.testing.assert_array_equal(clips, again)


def test_mixed_training_is_tested_on_whole_clips(videos, tmp_path):
    model, history = _fit(tmp_path, videos, model_class=TinyCutMixModel)
    logits = model.predict(videos.batches(4), verbose=0)
    expected = np.mean(logits.argmax(axis=1) == videos.labels)
    assert history[-1]["test_accuracy"] == pytest.approx(expected)


def test_kill_between_history_and_checkpoint_repeats_the_epoch_once(
    whole_run, videos, tmp_path, monkeypatch
):
    _, _, history = whole_run

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fit_lib.tf.train.CheckpointManager, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            _fit(tmp_path, videos)
    _, resumed_history = _fit(tmp_path, videos)
    assert _without_times(resumed_history) == _without_times(history)


def test_finished_run_is_taken_as_it_is(whole_run, videos, monkeypatch):
    run_dir, model, history = whole_run
    monkeypatch.setattr(tf_keras.Model, "fit", None)
    again, again_history = _fit(run_dir, videos)
    assert again_history == history
    np.testing.assert_array_equal(again.weights[0], model.weights[0])


def test_run_with_other_settings_is_refused(whole_run, videos):
    run_dir, _, _ = whole_run
    other = FitConfig(epochs=3, batch_size=4, learning_rate=1e-3)
    with pytest.raises(ValueError, match="training.epochs 2 there, 3 now"):
        _fit(run_dir, videos, training=other)


def test_run_on_other_data_is_refused(whole_run, videos):
    run_dir, _, _ = whole_run
    other = dataclasses.replace(videos, videos=255 - videos.videos)
    with pytest.raises(ValueError, match="other settings .train .* there, .* now, te"):
        _fit(run_dir, other)


def test_run_from_other_initial_weights_is_refused(whole_run, videos):
    run_dir, _, _ = whole_run
    with pytest.raises(ValueError, match="other settings .initial_weights .* there"):
        _fit(run_dir, videos, seed=1)


def test_embeddings_that_are_not_finite_end_in_one_line(videos, tmp_path):
    wild = dataclasses.replace(TRAINING, learning_rate=float("inf"))
    with pytest.raises(ValueError, match="'grw' are not finite in epoch 1: lower"):
        _fit(tmp_path, videos, training=wild)


def test_fewer_videos_than_a_batch_are_refused(videos, tmp_path):
    large = FitConfig(epochs=1, batch_size=11, learning_rate=1e-3)
    with pytest.raises(ValueError, match="10 training videos do not fill .* 11"):
        _fit(tmp_path, videos, training=large)
