"""Tests of the best checkpoint, and of ending when none gets better."""

import numpy as np
import pytest
import tensorflow as tf

from grw_tf.training.best_checkpoint import BestCheckpoint, EarlyStopping


def _export(best, accuracy, step):
    variable = tf.Variable(float(step))
    checkpoint = tf.train.Checkpoint(v=variable)
    logs = {"accuracy": np.float32(accuracy)}
    return best.maybe_export_checkpoint(checkpoint, logs, step)


def _best(folder):
    return BestCheckpoint(str(folder), "accuracy", "higher")


def test_best_is_kept_with_its_step(tmp_path):
    best = _best(tmp_path)
    assert best.step() is None
    assert _export(best, 0.5, 10)
    assert _export(best, 0.7, 20)
    assert not _export(best, 0.7, 30)
    assert best.step() == 20
    reader = tf.train.load_checkpoint(str(tmp_path))
    assert reader.get_tensor("v/.ATTRIBUTES/VARIABLE_VALUE") == 20


def test_kill_before_it_is_written_down_exports_again(tmp_path, monkeypatch):
    best = _best(tmp_path)

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(best, "export_best_eval_metric", killed)
    with pytest.raises(KeyboardInterrupt):
        _export(best, 0.5, 10)
    assert tf.train.latest_checkpoint(str(tmp_path))
    assert _export(_best(tmp_path), 0.5, 10)


def test_stops_after_as_many_evaluations_without_a_better(tmp_path):
    best = _best(tmp_path)
    should_stop = EarlyStopping(best, patience=2, interval=10)
    assert not should_stop(10)
    _export(best, 0.5, 10)
    assert [should_stop(step) for step in (10, 20, 30)] == [False, False, True]
    _export(best, 0.6, 30)
    assert not should_stop(40)
    assert EarlyStopping(_best(tmp_path), patience=2, interval=10)(50)


def test_patience_0_never_stops(tmp_path):
    best = _best(tmp_path)
    _export(best, 0.5, 10)
    assert not EarlyStopping(best, patience=0, interval=10)(10**6)


@pytest.mark.parametrize("best, patience", [(None, 1), ("any", -1)])
def test_patience_that_makes_no_sense_is_refused(best, patience):
    with pytest.raises(ValueError, match=f"early_stopping_patience is {patience}"):
        EarlyStopping(best, patience, 10)
