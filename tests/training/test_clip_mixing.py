"""Tests of CutMix and Mixup as a config asks for them."""

import numpy as np
import pytest
from training_runs import options

from grw_tf.training.experiments.parsing import parse_experiment
from grw_tf.training.tasks.video_classification import Task


def _task(records, methods, losses=(), train_data=(), **regularization):
    regularization = {"methods": methods} | regularization
    task = {
        "model": {"regularization": regularization},
        "losses": dict(losses),
        "train_data": {"input_path": f"{records}/train-*"} | dict(train_data),
    }
    return Task(parse_experiment(options(records, override={"task": task})).task)


def _batches(task, data="train_data", count=8):
    params = getattr(task.task_config, data)
    for features, labels in task.build_inputs(params).take(count).as_numpy_iterator():
        yield features["image"], labels


def _colors(frames):
    """Says of each pixel whether it is red, as one video is, or blue."""
    return frames[..., 0] > frames[..., 2]


def test_cutmix_pastes_a_rectangle_and_shares_the_label(colored_records):
    mixed = 0
    for images, labels in _batches(_task(colored_records, ["cutmix"])):
        np.testing.assert_allclose(labels.sum(axis=1), 1, atol=1e-6)
        for image, label in zip(images, labels, strict=True):
            red = _colors(image)
            # The same rectangle in all frames.
            np.testing.assert_array_equal(red, np.broadcast_to(red[:1], red.shape))
            if 0 < red.mean() < 1:
                mixed += 1
                assert 0 < label.min() < 1
                rows, columns = np.nonzero(red[0] if red.mean() < 0.5 else ~red[0])
                box = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
                assert box == len(rows) or box == red[0].size
    assert mixed


def test_mixup_averages_clips_and_labels_alike(colored_records):
    mixed = 0
    task = _task(colored_records, ["mixup"], mixup={"alpha": 5.0})
    for images, labels in _batches(task):
        for image, label in zip(images, labels, strict=True):
            share = image[..., 0].mean() / (image[..., 0] + image[..., 2]).mean()
            mixed += 0.1 < share < 0.9
            if not 0.1 < share < 0.9:
                assert label.max() > 0.7
    assert mixed


def test_both_methods_take_turns(colored_records):
    kinds = set()
    task = _task(colored_records, ["cutmix", "mixup"], mixup={"alpha": 5.0})
    for images, _ in _batches(task, count=24):
        purple = (images[..., 0] > 0.05) & (images[..., 2] > 0.05)
        kinds.add(bool(purple.mean() > 0.5))
    assert kinds == {True, False}


@pytest.mark.parametrize("methods", [["cutmix"], ["mixup"]])
def test_labels_are_smoothed_once_by_the_loss(colored_records, methods):
    """Of a batch that mixing leaves as it is, labels are 0 and 1."""
    task = _task(colored_records, methods, losses={"label_smoothing": 0.2})
    labels = np.concatenate([labels for _, labels in _batches(task)])
    assert labels.max() > 0.999


def test_evaluation_mixes_nothing(colored_records):
    task = _task(colored_records, ["cutmix", "mixup"])
    for images, labels in _batches(task, "validation_data", count=-1):
        assert set(labels.flat) == {0, 1}
        assert set(_colors(images).mean((1, 2, 3))) <= {0, 1}


def test_other_methods_leave_clips_alone(colored_records):
    for images, labels in _batches(_task(colored_records, ["rms", "shake_drop"])):
        assert set(labels.flat) == {0, 1}
        assert set(_colors(images).mean((1, 2, 3))) <= {0, 1}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"losses": {"one_hot": False, "label_smoothing": 0.0}},
            "task.losses.one_hot is false: it must be true with cutmix in"
            " task.model.regularization.methods, which mixes labels.",
        ),
        (
            {"train_data": {"mixup_and_cutmix": {"prob": 0.5}}},
            "it does what cutmix in task.model.regularization.methods does: choose one",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(colored_records, changes, message):
    with pytest.raises(ValueError) as told:
        _task(colored_records, ["cutmix"], **changes)
    assert message in str(told.value)


def test_unknown_method_of_a_config_is_refused_before_training(colored_records):
    with pytest.raises(ValueError, match="Unknown method 'cutmx'.*did you mean 'cutm"):
        _task(colored_records, ["cutmx"])
