"""Tests of what a training says when a step does not fit into memory."""

import pytest
import tensorflow as tf
from training_runs import options

from grw_tf.training import driver


def test_batch_is_named_with_what_makes_room(tmp_path, monkeypatch):
    def run(*_):
        message = "OOM when allocating tensor with shape[8,64,50,43,43]"
        raise tf.errors.ResourceExhaustedError(None, None, message)

    monkeypatch.setattr(driver, "_run", run)
    override = {"task": {"train_data": {"global_batch_size": 12}}}
    with pytest.raises(OSError, match="global_batch_size 12 ") as caught:
        driver.run_experiment(options("records", tmp_path / "run", override))
    text = str(caught.value)
    assert "\n" not in text and "shape[8,64,50,43,43]" in text
    assert "--print_memory" in text and "recompute" in text
