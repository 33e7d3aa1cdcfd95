"""Tests of exporting models with several labels, and some of the classes."""

import json
import types

import numpy as np
import pytest
import tensorflow as tf
from everyday import slow_but
from exported_files import CLASSES, manifest_of
from scipy import special
from toy_backbones import BACKBONES
from toy_heads import HEADS

from grw_tf.export import clip_export
from grw_tf.export import export as exporting
from grw_tf.export.export import export, export_run
from grw_tf.export.quantization import logits_error
from grw_tf.export.quantization.logits_error import LogitsError
from grw_tf.export.regret import regret_of
from grw_tf.export.saved_model import write_saved_model
from grw_tf.streaming import ClipClassifier, StreamSession
from grw_tf.weights.run_directory import Run, read_run

HALF = [0.5, 0.5, 0.5]


def _logits(*scores):
    """Returns the logits [1, times, classes] of scores."""
    return special.logit(np.asarray(scores, np.float64))[None]


CLEAR, NEAR = (0.9, 0.1, 0.2), (0.9, 0.49, 0.1)


def test_same_decisions_cost_nothing():
    logits = _logits(CLEAR, NEAR)
    regret = regret_of(logits, 3 * logits, HALF)
    assert (regret.mean_regret, regret.agreement, regret.clear_agreement) == (0, 1, 1)
    # Whatever a softmax would say: the likeliest class has changed.
    swapped = _logits((0.6, 0.1, 0.2), (0.8, 0.1, 0.49))
    assert regret_of(logits, swapped, HALF).agreement == 1


def test_another_decision_costs_what_it_would_of_two_classes():
    regret = regret_of(_logits(CLEAR), _logits((0.9, 0.6, 0.7)), HALF)
    # As 0.9 against 0.1, the dearer of the two mistakes.
    assert regret.mean_regret == pytest.approx(0.8)
    assert (regret.agreement, regret.clear_agreement) == (0, 0)
    near = regret_of(_logits(*[NEAR] * 60), _logits(*[(0.9, 0.51, 0.1)] * 60), HALF)
    assert near.agreement == 0 and near.clear_agreement == 1
    assert near.mean_regret == pytest.approx(0.02)


def test_a_class_that_is_never_named_any_more_does_not_pass():
    """It is rare, so that the mean over classes would hide it."""
    expected = np.full((1, 600, 50), -4.0)
    expected[:, :40, 7] = 2.0
    lost = np.full((1, 600, 50), -4.0)
    regret = regret_of(expected, lost, [0.5] * 50)
    assert list(regret.failures())


def test_decisions_are_by_the_classes_own_thresholds():
    expected, actual = _logits((0.3, 0.3, 0.5)), _logits((0.15, 0.3, 0.5))
    assert regret_of(expected, actual, HALF).agreement == 1
    assert regret_of(expected, actual, [0.2, 0.5, 0.5]).agreement == 0
    assert regret_of(expected, actual, [0.0, 1.0, 0.5]).agreement == 1
    broken = regret_of(expected, np.full_like(expected, np.nan), HALF)
    assert np.isnan(broken.mean_regret) and list(broken.failures())


def test_what_is_added_to_all_logits_counts_for_sigmoids(monkeypatch):
    class _Rollout:
        def __init__(self, content, _):
            self._shift = content

        def restart(self, _):
            pass

        def logits(self, frames):
            return frames + self._shift

    monkeypatch.setattr(logits_error, "Rollout", _Rollout)
    frames = np.random.default_rng(0).normal(size=(20, 3))
    segments = [types.SimpleNamespace(states=None, frames=frames)]
    assert LogitsError(0, segments)(5) == pytest.approx(0, abs=1e-9)
    assert LogitsError(0, segments, softmax=False)(5) > 1


@pytest.fixture(autouse=True)
def short_streams(monkeypatch):
    monkeypatch.setattr(exporting, "FRAMES", 30)
    monkeypatch.setattr(exporting, "_STREAMS", 1)
    monkeypatch.setattr(clip_export, "_CLIPS", 2)


@pytest.fixture(scope="module")
def write_run(nano, tmp_path_factory):
    """A function that writes a training's best checkpoint; returns model and folder."""

    def write(activation, head="causal_transformer"):
        model = nano(head=HEADS[head], output_activation=activation)
        folder = tmp_path_factory.mktemp("run")
        tf.train.Checkpoint(model=model).save(str(folder / "ckpt"))
        (folder / "labels.txt").write_text("\n".join(CLASSES) + "\n")
        info = {"best_thresholds": [0.1, 0.3, None, 0.7, 0.9]}
        (folder / "info.json").write_text(json.dumps(info))
        return model, folder

    return write


def _frame(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (32, 32, 3), np.uint8)


def test_file_has_sigmoids_and_the_thresholds_of_training(write_run, configured):
    _, folder = write_run("sigmoid")
    config = configured(checkpoint_dir=str(folder), quantization="none")
    report = export(config)
    assert report.parity.passed
    manifest = manifest_of(exporting.Path(config.output))
    assert manifest["format_version"] == 3
    assert manifest["output"] == {
        "name": "logits",
        "shape": [1, 5],
        "activation": "sigmoid",
        "thresholds": [0.1, 0.3, 0.5, 0.7, 0.9],
    }
    with StreamSession(config.output) as session:
        session.push_prepared(_frame())
        scores = session.classify()
        np.testing.assert_allclose(scores, special.expit(session.logits()), rtol=1e-5)
        expected = {
            name: float(score)
            for name, score, least in zip(
                CLASSES, scores, session.thresholds, strict=True
            )
            if score >= np.float32(least)
        }
        named = session.named()
    assert dict(named) == expected
    assert [score for _, score in named] == sorted(expected.values(), reverse=True)


@pytest.mark.slow
def test_file_of_a_softmax_is_as_before(write_run, configured):
    _, folder = write_run("softmax")
    config = configured(checkpoint_dir=str(folder), quantization="none")
    export(config)
    manifest = manifest_of(exporting.Path(config.output))
    assert manifest["format_version"] == 2
    assert manifest["output"] == {"name": "logits", "shape": [1, 5]}
    with StreamSession(config.output) as session:
        session.push_prepared(_frame())
        assert session.thresholds is None
        with pytest.raises(ValueError, match="a softmax, of which exactly one class"):
            session.named()
    with pytest.raises(ValueError, match="--thresholds=0.5, and this model has a soft"):
        export(
            configured(
                checkpoint_dir=str(folder), thresholds="0.5", allow_mismatch=True
            )
        )


@pytest.mark.slow
@pytest.mark.parametrize("activation", slow_but(["softmax"], ["softmax", "sigmoid"]))
def test_file_of_some_classes_has_their_names_and_logits(
    write_run, configured, activation
):
    model, folder = write_run(activation, "official")
    config = configured(
        checkpoint_dir=str(folder), classes="d,b,a", quantization="none"
    )
    assert export(config).parity.passed
    with StreamSession(config.output) as session:
        assert session.labels == ["d", "b", "a"]
        if activation == "sigmoid":
            assert session.thresholds == (0.7, 0.3, 0.1)
        else:
            session.push_prepared(_frame())
            assert session.classify().sum() == pytest.approx(1)
            session.reset()
        for k in range(8):
            session.push_prepared(_frame(k))
        found = session.logits()
    clip = np.stack([_frame(k) for k in range(8)])[None] / np.float32(255)
    expected = model(clip, training=False).numpy()[0, [3, 1, 0]]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_some_classes_need_labels_of_the_whole_model(write_run):
    _, folder = write_run("softmax")
    with pytest.raises(ValueError, match="'dd', which is not a class"):
        read_run(folder, classes="dd,a")
    (folder / "labels.txt").write_text("a\nb\nc\n")
    with pytest.raises(ValueError, match="The model has 5 classes, got 3 names"):
        read_run(folder, classes="b,a")


def test_sample_apps_take_no_sigmoids(nano, configured):
    model = nano(head=HEADS["mean"], output_activation="sigmoid")
    run = Run(model, tuple(CLASSES), "ckpt")
    with pytest.raises(ValueError, match="which take the softmax of the logits"):
        export_run(run, configured(layout="tensorflow_examples"))


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["auto", "int8"])
def test_eight_bits_are_judged_by_decisions(nano, configured, monkeypatch, mode):
    monkeypatch.setattr(exporting, "FRAMES", 300)
    model = nano(head=HEADS["causal_transformer"], output_activation="sigmoid")
    run = Run(model, tuple(CLASSES), "ckpt")
    clips = exporting.drawn_streams(model.config, 2, 300)
    monkeypatch.setattr(exporting, "_calibration_streams", lambda *_: clips)
    config = configured(quantization=mode, thresholds="0.4", allow_mismatch=True)
    report = export_run(run, config)
    with StreamSession(config.output) as session:
        assert session.thresholds == (0.4,) * 5
    assert report.parity.regret.agreement > 0.5


@pytest.mark.slow
def test_clips_are_classified_by_sigmoids(nano, configured):
    model = nano(backbone=BACKBONES["slowonly_nano"], output_activation="sigmoid")
    run = Run(model, tuple(CLASSES), "ckpt")
    config = configured(quantization="none", thresholds="0.5")
    export_run(run, config)
    clip = [_frame(k) for k in range(8)]
    with ClipClassifier(config.output) as classifier:
        logits = classifier.logits(clip, prepared=True)
        scores = classifier.classify(clip, prepared=True)
        np.testing.assert_allclose(scores, special.expit(logits), rtol=1e-5)
        named = {name for name, _ in classifier.named(clip, prepared=True)}
        expected = {
            name for name, logit in zip(CLASSES, logits, strict=True) if logit >= 0
        }
        assert named == expected


@pytest.mark.slow
def test_saved_model_gives_sigmoids(nano, clip, tmp_path):
    model = nano(head=HEADS["causal_transformer"], output_activation="sigmoid")
    path = tmp_path / "model"
    write_saved_model(path, model, CLASSES, thresholds=[0.2] * 5)
    found = tf.saved_model.load(str(path)).signatures["serving_default"](image=clip)
    logits = model(clip, training=False)
    np.testing.assert_allclose(
        found["probabilities"], special.expit(logits), rtol=1e-4, atol=1e-6
    )
    manifest = json.loads((path / "assets.extra" / "manifest.json").read_text())
    assert manifest["format_version"] == 3
    assert manifest["output"] == {
        "name": "logits",
        "activation": "sigmoid",
        "thresholds": [0.2] * 5,
    }
