"""Tests of training by the Model Garden's trainer, on a tiny model and drawn videos."""

import json
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf
from changed_records import change, copied
from official.modeling import hyperparams
from training_runs import assert_same, options, scalars, values

from grw_tf.data.records.record_source import record_name
from grw_tf.training.batch_statistics import (
    BatchStatistics,
    trained_batch_normalizations,
)
from grw_tf.training.driver import run_experiment
from grw_tf.training.experiments.parsing import parse_experiment
from grw_tf.training.model_dir import claimed
from grw_tf.training.progress import Progress
from grw_tf.training.tasks.video_classification import Task
from grw_tf.weights.inspection import inspect
from grw_tf.weights.restore import load_model
from grw_tf.weights.run_directory import read_run


@pytest.fixture(scope="module")
def run(finished_training, tmp_path_factory):
    """The folder of a finished training."""
    folder = tmp_path_factory.mktemp("run") / "copy"
    return shutil.copytree(finished_training, folder)


def _scalars(run, split):
    """Returns the last value of each scalar of a split by its name."""
    logged = scalars(run).items()
    return {name: value for (part, name, _), value in logged if part == split}


def test_training_logs_each_loss_and_rate_by_its_name(run):
    logged = _scalars(run, "train")
    wanted = {"class_loss", "grw_loss", "grw_order_accuracy", "grw_velocity"}
    wanted |= {"learning_rate_backbone", "learning_rate_head", "training_loss"}
    wanted |= {"top_1_accuracy", "top_5_accuracy", "macro_f1"}
    assert wanted <= logged.keys()
    assert all(np.isfinite(value) for value in logged.values())
    total = logged["class_loss"] + 0.1 * logged["grw_loss"]
    assert logged["training_loss"] == pytest.approx(total, rel=1e-3)
    # Cosine to a hundredth over all of the steps.
    assert logged["learning_rate_backbone"] == pytest.approx(1e-6)
    assert logged["learning_rate_head"] == pytest.approx(1e-5)


def test_validation_logs_no_smoothing(run):
    logged = _scalars(run, "validation")
    assert {"class_loss", "top_1_accuracy", "validation_loss"} <= logged.keys()
    assert not [name for name in logged if name.startswith("grw")]


def test_checkpoint_of_a_training_says_what_it_is(run):
    report = inspect(run)
    assert "model id             nano" in report
    assert "gating_activation    hard_sigmoid_keras" in report
    assert "also there           backbone" not in report
    assert (run / "best_ckpt").is_dir()


def test_config_of_a_training_is_kept(run):
    kept = hyperparams.read_yaml_to_params_dict(str(run / "params.yaml"))
    assert kept.task.model.backbone.model_id == "nano"
    assert kept.trainer.train_steps == 20


@pytest.mark.slow
def test_training_goes_on_from_its_checkpoint(colored_records, run, capsys):
    longer = {"trainer": {"train_steps": 30}}
    run_experiment(options(colored_records, run, longer, mode="train"))
    assert tf.train.latest_checkpoint(run).endswith("ckpt-30")
    assert "ckpt-20" in capsys.readouterr().out


@pytest.mark.slow
def test_training_starts_from_a_checkpoint(colored_records, run, tmp_path, caplog):
    task = {"init_checkpoint": str(run)}
    short = {"task": task, "trainer": {"train_steps": 5}}
    caplog.set_level("INFO")
    run_experiment(options(colored_records, tmp_path, short, mode="train"))
    assert "variables of the backbone;" in caplog.text
    assert "--mode=train does not evaluate, so trainer.batch_norm_re" in caplog.text


@pytest.mark.slow
def test_interrupted_training_ends_with_the_same_bits(
    colored_records, run, tmp_path, monkeypatch
):
    show = Progress.__call__

    def interrupted(progress, output):
        show(progress, output)
        if progress._bar.n == 20:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "__call__", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_experiment(options(colored_records, tmp_path))
    assert tf.train.latest_checkpoint(tmp_path).endswith("ckpt-15")
    run_experiment(options(colored_records, tmp_path))
    assert_same(values(tmp_path / "ckpt-20"), values(run / "ckpt-20"))
    assert _scalars(tmp_path, "validation") == _scalars(run, "validation")


@pytest.fixture(scope="module")
def plain_run(colored_records, tmp_path_factory):
    """The folder of the same training, its batch statistics not estimated anew."""
    folder = tmp_path_factory.mktemp("plain")
    plain = {"trainer": {"batch_norm_recalibration": 0}}
    run_experiment(options(colored_records, folder, plain))
    return folder


def _task(records, **data):
    data = {"input_path": f"{records}/train-*"} | data
    override = {"task": {"train_data": data}}
    return Task(parse_experiment(options(records, override=override)).task)


@pytest.mark.slow
def test_recalibration_changes_no_bit_of_training(run, plain_run):
    assert_same(values(run / "ckpt-20"), values(plain_run / "ckpt-20"))


@pytest.mark.slow
@pytest.mark.parametrize("kept", ["best_ckpt", "ema_checkpoints"])
def test_saved_averages_hold_statistics_estimated_under_them(
    colored_records, run, plain_run, kept
):
    # The best is what is exported.
    model = read_run(run).model if kept == "best_ckpt" else load_model(str(run / kept))
    layers = trained_batch_normalizations(model)
    saved = [layer.moving_variance.numpy() for layer in layers]
    clips = _task(colored_records).build_statistics_inputs(16)
    assert BatchStatistics(model, layers).estimate(clips) == 16
    for layer, value in zip(layers, saved, strict=True):
        np.testing.assert_allclose(layer.moving_variance, value, rtol=1e-5, atol=1e-8)
    # Without, they are averages of the moving statistics of other weights.
    averaged, found = (values(r / "ema_checkpoints") for r in (plain_run, run))
    differing = {key for key in found if (found[key] != averaged[key]).any()}
    assert len(differing) == 2 * len(layers)
    assert all("moving_" in key for key in differing)


@pytest.mark.slow
@pytest.mark.parametrize(
    "ema", [None, {"average_decay": 0.9, "trainable_weights_only": True}]
)
def test_recalibration_changes_no_bit_without_averages_of_statistics(
    colored_records, tmp_path, ema
):
    found = {}
    for clips in (0, 16):
        trainer = {
            "batch_norm_recalibration": clips,
            "validation_interval": 5,
            "optimizer_config": {"ema": ema},
        }
        folder = tmp_path / str(clips)
        run_experiment(options(colored_records, folder, {"trainer": trainer}))
        found[clips] = values(folder / "ckpt-20"), values(folder / "best_ckpt")
    assert_same(found[16][0], found[0][0])
    moving = [key for key in found[0][1] if "moving_" in key and "SLOT" not in key]
    assert all((found[0][1][key] != found[16][1][key]).any() for key in moving)


def test_statistics_are_of_training_clips_of_each_class_in_one_view(colored_records):
    task = _task(colored_records, num_test_clips=2, num_test_crops=3)
    (clips, labels), (again, _) = (
        next(task.build_statistics_inputs(4).as_numpy_iterator()) for _ in range(2)
    )
    assert clips["image"].shape == (4, 8, 32, 32, 3)
    np.testing.assert_array_equal(clips["image"], again["image"])
    np.testing.assert_array_equal(labels.sum(axis=0), [2, 2])
    count = sum(len(labels) for _, labels in task.build_statistics_inputs(99))
    assert count == sum(file.count for file in task.train_source.files)


@pytest.mark.slow
def test_evaluating_a_training_again_gives_the_same_numbers(
    colored_records, run, plain_run, capsys
):
    _, results = run_experiment(options(colored_records, plain_run, mode="eval"))
    expected = _scalars(run, "validation")
    assert results["class_loss"] == np.float32(expected["class_loss"])
    told = r" eval \| step:     20 \| Estimated .* 16 batch .* on 16 training clips in "
    assert re.search(told, capsys.readouterr().out)


@pytest.fixture(scope="module")
def careful_run(colored_records, tmp_path_factory):
    """The folder of a training as is for little data, ended early."""
    folder = tmp_path_factory.mktemp("careful")
    task = {
        "unfreeze_step": 10,
        "freeze_batch_norm": True,
        "losses": {"class_weights": "balanced", "l2_weight_decay": 1e-3},
    }
    trainer = {
        "train_steps": 100,
        "checkpoint_interval": 5,
        "validation_interval": 10,
        # Which cannot get better.
        "best_checkpoint_eval_metric": "top_5_accuracy",
        "early_stopping_patience": 1,
        # Off, for batch normalization is frozen.
        "batch_norm_recalibration": 4,
    }
    override = {"task": task, "trainer": trainer}
    run_experiment(options(colored_records, folder, override))
    return folder


@pytest.mark.slow
def test_training_ends_early_with_a_checkpoint(careful_run):
    assert tf.train.latest_checkpoint(careful_run).endswith("ckpt-20")


@pytest.mark.slow
def test_frozen_backbone_thaws_at_its_step_but_for_batch_norm(careful_run):
    start, thawing, end = (values(careful_run / f"ckpt-{step}") for step in (5, 10, 20))
    model = {key for key in end if "OPTIMIZER_SLOT" not in key}
    backbone = {key for key in model if key.startswith("backbone/")}
    norms = {
        key for key in backbone if re.search("gamma|beta|moving_mean|moving_var", key)
    }
    kernels = {key for key in backbone if "kernel" in key}
    assert norms and kernels
    for key in backbone:
        np.testing.assert_array_equal(thawing[key], start[key], err_msg=key)
    for key in norms:
        np.testing.assert_array_equal(end[key], start[key], err_msg=key)
    assert all((end[key] != thawing[key]).any() for key in kernels)
    best = values(careful_run / "best_ckpt")
    for key in norms:
        # Averages of what stays.
        np.testing.assert_allclose(best[key], start[key], rtol=1e-3, err_msg=key)
    heads = [key for key in model if key.startswith("model/head") and "kernel" in key]
    assert heads
    assert all((thawing[key] != start[key]).any() for key in heads)


@pytest.mark.slow
def test_weight_decay_is_logged_by_its_name(careful_run):
    logged = _scalars(careful_run, "train")
    total = logged["class_loss"] + 0.1 * logged["grw_loss"]
    total += logged["weight_decay_loss"]
    assert logged["weight_decay_loss"] > 0.01
    assert logged["training_loss"] == pytest.approx(total, rel=1e-5)


def test_folder_holds_what_export_needs(run, colored_records):
    labels = (colored_records / "labels.txt").read_text()
    assert (run / "labels.txt").read_text() == labels
    assert load_model(str(run / "best_ckpt")).config.num_classes == 2


def test_validation_shows_recalls_and_a_confusion_image(run):
    logged = _scalars(run, "validation")
    assert {"recall/red", "recall/blue"} <= logged.keys()
    assert logged["macro_f1"] <= 1
    images = [
        value.tag
        for file in (run / "validation").glob("events*")
        for event in tf.compat.v1.train.summary_iterator(str(file))
        for value in event.summary.value
        if value.metadata.plugin_data.plugin_name == "images"
    ]
    assert images == ["confusion_matrix"] * 2


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["eval", "continuous_eval"])
def test_finished_training_is_evaluated_again(colored_records, run, mode):
    info = json.loads((run / "best_ckpt" / "info.json").read_text())
    _, results = run_experiment(options(colored_records, run, mode=mode))
    assert results["top_1_accuracy"] <= info["top_1_accuracy"]
    assert results["best_top_1_accuracy"] == info["top_1_accuracy"]


def test_evaluation_without_a_training_is_refused(colored_records, tmp_path):
    with pytest.raises(ValueError, match="holds no checkpoint to evaluate"):
        run_experiment(options(colored_records, tmp_path, mode="eval"))


def test_steps_and_clips_per_second_are_logged(run):
    logged = _scalars(run, "train")
    assert logged["steps_per_second"] > 0
    assert logged["clips_per_second"] > 0


@pytest.mark.parametrize(
    "key, value, message",
    [
        ("model", {"num_classes": 3}, "has 2 classes, .*num_classes is 3"),
        ("model", {"fps": 3.0}, "has 5 frames a second, no whole multiple of the mod"),
        ("model", {"frames": 3}, "N=3 frames is shorter than one window of T=4"),
        ("train_data", {"input_path": "/none/*"}, "No file matches /none/"),
        ("train_data", {"global_batch_size": 0}, "multiple of the 1 replicas, got 0"),
        ("train_data", {"tfds_name": "a"}, "needs either input_path or tfds_name"),
        ("train_data", {"cache": True}, "train_data.cache must be false"),
        ("losses", {"class_weights": "even"}, "class_weights must be 'balanced'"),
        ("init_checkpoint", "/none", "There is no checkpoint /none"),
    ],
)
def test_what_does_not_fit_ends_before_training(
    colored_records, tmp_path, key, value, message
):
    with pytest.raises(ValueError, match=message):
        run_experiment(options(colored_records, tmp_path, {"task": {key: value}}))


@pytest.mark.slow
def test_unknown_metric_of_the_best_checkpoint_is_refused(colored_records, tmp_path):
    trainer = {"best_checkpoint_eval_metric": "f1"}
    with pytest.raises(ValueError, match="metric is 'f1': .* one of .*macro_f1"):
        run_experiment(options(colored_records, tmp_path, {"trainer": trainer}))


def test_one_class_alone_is_refused(colored_records, tmp_path):
    folder = copied(colored_records, tmp_path / "records")
    (folder / "labels.txt").write_text("blue\n")
    paths = sorted(folder.glob("*.tfrecord"))
    for path in paths:
        blue = [
            record
            for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
            if b"/blue/" in record
        ]
        path.unlink()
        if blue:
            renamed = path.with_name(path.name.replace("-of-", "_"))
            with tf.io.TFRecordWriter(str(renamed)) as writer:
                for record in blue:
                    writer.write(record)
    task = {"model": {"num_classes": 1}}
    with pytest.raises(ValueError, match="has one class, 'blue': .*add clips of anoth"):
        run_experiment(options(folder, tmp_path / "run", {"task": task}))


@pytest.mark.slow
def test_frame_that_is_no_jpeg_is_told_with_its_clips(colored_records, tmp_path):
    folder = copied(colored_records, tmp_path / "records")
    path = min(folder.glob("train-*"))
    sound = record_name(next(tf.data.TFRecordDataset(str(path)).as_numpy_iterator()))

    def spoil(example):
        for frame in example.feature_lists.feature_list["image/encoded"].feature:
            frame.bytes_list.value[0] = b"no JPEG"

    change(path, spoil, first=1)
    named = r"cannot be decoded in (train/\w+/\d+.mp4(, )?)+\. The last checkpoint"
    with pytest.raises(ValueError, match=named) as refused:
        run_experiment(options(folder, tmp_path / "run", mode="train"))
    assert str(refused.value).isprintable()
    assert f"{sound}," not in str(refused.value)
    assert f"{sound}. " not in str(refused.value)


def test_truncated_file_is_told_before_training(colored_records, tmp_path):
    folder = copied(colored_records, tmp_path / "records")
    path = min(folder.glob("train-*"))
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(ValueError, match=f"{path.name} is truncated"):
        run_experiment(options(folder, tmp_path / "run", mode="train"))
    assert not (tmp_path / "run" / "checkpoint").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "override",
    [
        {"task": {"model": {"num_classes": 2, "head": {"depth": 3}}}},
        pytest.param(
            {"trainer": {"train_steps": 30, "optimizer_config": {"ema": None}}},
            marks=pytest.mark.slow,
        ),
    ],
    ids=["model", "optimizer"],
)
def test_checkpoint_of_another_config_is_not_gone_on_with(
    colored_records, run, override
):
    before = (run / "params.yaml").read_text()
    with pytest.raises(ValueError, match="of another model or optimizer") as refused:
        run_experiment(options(colored_records, run, override))
    assert str(refused.value).isprintable()
    assert (run / "params.yaml").read_text() == before


def test_other_classes_than_trained_or_validated_are_refused(
    colored_records, run, tmp_path
):
    folder = copied(colored_records, tmp_path / "records")
    (folder / "labels.txt").write_text("blau\nrot\n")
    data = {"input_path": f"{folder}/test-*"}
    for path in folder.glob("*.tfrecord"):
        change(path, lambda e: e.context.feature.pop("clip/label/text"))
    task = {"model": {"num_classes": 2}, "validation_data": data}
    with pytest.raises(ValueError, match="has the classes .'blau', 'rot'.*training cl"):
        run_experiment(options(colored_records, tmp_path / "new", {"task": task}))
    with pytest.raises(ValueError, match="labels.txt has the classes .'blue', 'red'"):
        run_experiment(options(folder, run))


@pytest.mark.slow
def test_label_that_is_no_class_stops_training(colored_records, tmp_path):
    folder = copied(colored_records, tmp_path / "records")
    path = min(folder.glob("train-*"))

    def mislabel(example):
        example.context.feature["clip/label/index"].int64_list.value[:] = [5]

    change(path, mislabel, first=1)
    with pytest.raises(ValueError, match="not one of the 2 classes.* on the clips"):
        run_experiment(options(folder, tmp_path / "run", mode="train"))


def test_two_trainings_in_one_folder_are_refused(colored_records, tmp_path):
    with claimed(tmp_path):
        with pytest.raises(ValueError, match="Another training runs in"):
            run_experiment(options(colored_records, tmp_path))


@pytest.mark.slow
def test_embeddings_that_are_no_numbers_stop_in_one_line(colored_records, tmp_path):
    rate = {"type": "constant", "constant": {"learning_rate": 1e30}}
    optimization = {"learning_rate": rate, "head_learning_rate": rate}
    trainer = {"optimizer_config": optimization, "checkpoint_interval": 5}
    asked = options(colored_records, tmp_path, {"trainer": trainer}, mode="train")
    told = "not finite.* at step .*learning_rate_head.* on the clips .*mp4"
    with pytest.raises(ValueError, match=told):
        run_experiment(asked)
