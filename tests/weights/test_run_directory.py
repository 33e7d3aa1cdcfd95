"""Tests of reading the folder of a training."""

import pytest
import tensorflow as tf
import yaml

from grw_tf.weights.run_directory import read_run

CLASSES = ["a", "b", "c", "d", "e"]


@pytest.fixture(scope="module")
def model(nano):
    return nano(scratch=True)


@pytest.fixture
def write_run(model, tmp_path):
    """A function that writes a training's folder and returns it.

    Each checkpoint has its own number as the bias of its classifier.
    """

    def write(checkpoints, trainer=(), data=(), labels=CLASSES):
        run = tmp_path / "run"
        run.mkdir()
        params = {"trainer": {"best_checkpoint_export_subdir": "best_ckpt"}}
        params["trainer"] |= dict(trainer)
        params["task"] = {"train_data": {}, "validation_data": {}} | dict(data)
        (run / "params.yaml").write_text(yaml.dump(params))
        (run / "labels.txt").write_text("\n".join(labels) + "\n")
        for number, subfolder in enumerate(checkpoints, start=1):
            bias = _classifier_bias(model)
            bias.assign(tf.fill(bias.shape, float(number)))
            tf.train.Checkpoint(model=model).save(str(run / subfolder / "ckpt"))
        return run

    return write


def _classifier_bias(model):
    return [w for w in model.weights if w.name.endswith("bias:0")][-1]


def _number(run):
    return _classifier_bias(run.model)[0]


def test_best_checkpoint_is_taken(write_run):
    folder = write_run(["", "ema_checkpoints", "best_ckpt"])
    run = read_run(folder)
    assert _number(run) == 3
    assert run.class_names == tuple(CLASSES)
    assert run.model.config.size == 32


@pytest.mark.slow
def test_averages_are_taken_without_a_best(write_run):
    assert _number(read_run(write_run(["", "ema_checkpoints"]))) == 2


@pytest.mark.slow
def test_last_weights_are_taken_without_averages(write_run):
    run = write_run([""], trainer={"best_checkpoint_export_subdir": ""})
    assert _number(read_run(run)) == 1


@pytest.mark.slow
def test_checkpoint_alone_takes_the_labels_of_the_folder_above(write_run):
    run = read_run(write_run(["", "best_ckpt"]) / "best_ckpt")
    assert run.class_names == tuple(CLASSES)
    assert _number(run) == 2


@pytest.mark.slow
def test_records_are_found_if_they_are_at_hand(write_run, tmp_path):
    (tmp_path / "train-0.tfrecord").touch()
    data = {
        "train_data": {"input_path": f"{tmp_path}/train-*"},
        "validation_data": {"input_path": [f"{tmp_path}/gone-*"]},
    }
    run = read_run(write_run(["best_ckpt"], data=data))
    assert run.train_records == f"{tmp_path}/train-*"
    assert run.validation_records == ""


def test_training_without_config_is_refused(write_run):
    run = write_run(["best_ckpt"])
    (run / "params.yaml").unlink()
    with pytest.raises(ValueError, match="without its config, params.yaml: put"):
        read_run(run)


def test_training_without_checkpoint_is_refused(write_run):
    with pytest.raises(ValueError, match="params.yaml but no checkpoint"):
        read_run(write_run([]))


def test_missing_labels_are_asked_for(write_run):
    run = write_run(["best_ckpt"])
    (run / "labels.txt").unlink()
    with pytest.raises(ValueError, match="no labels.txt in .*run.*pass --labels=FILE"):
        read_run(run)


@pytest.mark.slow
def test_labels_of_other_classes_are_refused(write_run):
    run = write_run(["best_ckpt"], labels=CLASSES[:3])
    with pytest.raises(ValueError, match="5 classes, got 3 names"):
        read_run(run)


def test_checkpoint_that_records_no_config_is_refused(model, tmp_path):
    tf.train.Checkpoint(backbone=model.backbone).write(str(tmp_path / "ckpt"))
    (tmp_path / "labels.txt").write_text("\n".join(CLASSES))
    with pytest.raises(ValueError, match="records no config"):
        read_run(tmp_path)


def test_folder_of_nothing_is_refused(tmp_path):
    (tmp_path / "labels.txt").write_text("\n".join(CLASSES))
    with pytest.raises(ValueError, match="Expected one checkpoint"):
        read_run(tmp_path)


@pytest.mark.parametrize("text", ["{{{: garbage", "hello", "- 1\n- 2"])
def test_config_that_is_none_is_refused(write_run, text):
    run = write_run(["best_ckpt"])
    (run / "params.yaml").write_text(text)
    with pytest.raises(ValueError, match="params.yaml is not the config of a training"):
        read_run(run)


@pytest.mark.slow
def test_config_with_nothing_in_it_is_read(write_run):
    run = write_run([""])
    (run / "params.yaml").write_text("task: {validation_data: null}\ntrainer: null\n")
    assert read_run(run).validation_records == ""
