"""Tests of what stops a training."""

import types

import numpy as np
import pytest
import tensorflow as tf

from grw_tf.training.divergence import StopOnDivergence, step_error_text


@pytest.fixture
def trainer():
    """A trainer whose weights may be made bad, at step 7."""
    return types.SimpleNamespace(
        global_step=tf.Variable(7),
        optimizer=types.SimpleNamespace(iterations=tf.Variable(7)),
        validates=False,
        bad_step=None,
        model=types.SimpleNamespace(variables=[tf.Variable(1.0), tf.Variable(3)]),
        task=types.SimpleNamespace(
            names_of_step=lambda step: [f"{step}-{k}.mp4" for k in range(40)],
            broken_clips=lambda step: [f"broken-{step}.mp4"],
        ),
        learning_rates=lambda: {"head": 0.1},
    )


def test_numbers_go_on(trainer):
    StopOnDivergence(trainer)({"training_loss": 1.0})


def test_loss_that_is_none_is_told_with_its_clips(trainer):
    trainer.bad_step = 4
    with pytest.raises(
        ValueError,
        match="loss is nan at step 5, learning_rate_head 0.1, on the clips 4-0.mp4,"
        ".* and 8 more. The checkpoint before it is kept",
    ):
        StopOnDivergence(trainer)({"training_loss": np.nan})


def test_loss_of_another_worker_is_told_without_clips(trainer):
    with pytest.raises(ValueError, match="loss is inf at step 7, .* 0.1. The check"):
        StopOnDivergence(trainer)({"training_loss": np.inf})


def test_weights_that_are_none_are_not_saved(trainer):
    trainer.model.variables[0].assign(np.nan)
    with pytest.raises(ValueError, match="Weights are no longer finite at step 7"):
        StopOnDivergence(trainer)({"training_loss": 1.0})


@pytest.mark.parametrize(
    "message, expected",
    [
        (
            "assertion failed: [0]\n Z is not finite: 3 of 4\n",
            "Z is not finite: 3 of 4 at step 8, .*lower the learning rates",
        ),
        (
            "{{node x}} Invalid JPEG data or crop window, data size 3\n [[{{node}}]]",
            "A frame cannot be decoded in broken-7.mp4.*prepare the clips again",
        ),
        (
            "assertion failed: [A label is not one of the 2 classes: ] [5]\n x",
            "A label is not one of the 2 classes: . .5. at step 8, .*on the clips 7-0",
        ),
        ("Incompatible\n shapes", "Incompatible shapes at step 8, .*is kept"),
    ],
)
def test_errors_of_a_step_are_told_in_one_line(trainer, message, expected):
    text = step_error_text(tf.errors.InvalidArgumentError(None, None, message), trainer)
    assert "\n" not in text
    with pytest.raises(ValueError, match=expected):
        raise ValueError(text)


def test_errors_of_validation_blame_no_training_clips(trainer):
    trainer.validates = True
    jpeg = tf.errors.InvalidArgumentError(None, None, "{{node}} Invalid JPEG data")
    assert "decoded in broken-None.mp4" in step_error_text(jpeg, trainer)
    other = tf.errors.InvalidArgumentError(None, None, "Incompatible shapes")
    assert step_error_text(other, trainer).startswith(
        "Incompatible shapes, in validation"
    )
