"""Tests of inference on one device; with two it needs a process of its own."""

import numpy as np
import pytest
import tensorflow as tf

from grw_tf.kinetics600.sharded_inference import Launched, ShardedInference


def test_batches_of_any_size_are_one_graph(nano, clip):
    model = nano()
    inference = ShardedInference(model, tf.distribute.OneDeviceStrategy("CPU:0"), 4)
    assert (inference.batch_size, inference.num_classes) == (4, 5)
    for clips in (clip, clip[:1], np.concatenate([clip, clip])):
        logits = inference.launch(clips).logits()
        np.testing.assert_allclose(logits, model(clips).numpy(), rtol=1e-4)
    assert inference._run.experimental_get_tracing_count() == 1


def test_logits_that_are_no_numbers_are_refused():
    good, bad = tf.zeros((2, 3)), tf.constant([[0.0, 1.0, np.nan]])
    with pytest.raises(ValueError, match="logits that are NaN or infinite"):
        Launched((good, bad), 3).logits()
    assert Launched((good, bad), 2).logits().shape == (2, 3)


@pytest.mark.slow
def test_two_devices_are_one(run_isolated):
    run_isolated("sharded_inference_checks.py")
