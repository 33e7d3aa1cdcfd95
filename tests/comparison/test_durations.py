"""Tests of how long runs take, and of what is left of a comparison."""

import json
import os
import time

import pytest
import tensorflow as tf
from finished_runs import finish, first_right, plan_of, write_odd_records

from grw_tf.comparison.durations import begin_work, end_work, seconds_spent, work_left


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    return write_odd_records(tmp_path_factory.mktemp("clips"))


@pytest.fixture
def runs(records, tmp_path):
    runs = plan_of(records, tmp_path, "grw", seeds=2).runs()
    for run in runs:
        run.folder.mkdir(parents=True)
    return runs


def _work(run, seconds, ago):
    """Makes a process begin so many seconds ago, after others of some seconds."""
    content = {"seconds": seconds, "began": time.time() - ago}
    (run.folder / "work.json").write_text(json.dumps(content))


def _save(run, step, ago):
    tf.train.CheckpointManager(
        tf.train.Checkpoint(), str(run.folder), max_to_keep=1, checkpoint_name="ckpt"
    ).save(checkpoint_number=step)
    at = time.time() - ago
    os.utime(run.folder / "checkpoint", (at, at))


def _finish(run, seconds):
    finish(run, first_right(9))
    file = run.folder / "measures.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"seconds": seconds}))


def test_time_counts_up_to_the_last_checkpoint(runs):
    run = runs[0]
    assert seconds_spent(run) == 0
    _work(run, seconds=100, ago=60)
    assert seconds_spent(run) == 100
    _save(run, step=5, ago=20)
    assert seconds_spent(run) == pytest.approx(140, abs=3)


def test_time_of_all_processes_of_a_run_adds_up(runs):
    run = runs[0]
    begin_work(run)
    assert end_work(run) == pytest.approx(0, abs=3)
    _work(run, seconds=100, ago=60)
    _save(run, step=5, ago=20)
    # The process was killed; the next one takes up its work.
    begin_work(run)
    assert end_work(run) == pytest.approx(140, abs=3)


def test_a_checkpoint_of_an_earlier_process_adds_no_time(runs):
    run = runs[0]
    _save(run, step=5, ago=500)
    _work(run, seconds=100, ago=60)
    assert seconds_spent(run) == 100


def test_finished_runs_tell_how_long_the_others_take(runs):
    _finish(runs[0], 600)
    left = work_left(runs, train_steps=20)
    assert (left.runs, left.seconds) == (3, 1800)
    assert str(left) == "3 runs remain, about 30 min"
    _work(runs[1], seconds=240, ago=0)
    assert work_left(runs, 20).seconds == pytest.approx(1560, abs=3)
    _finish(runs[1], 7200)
    assert str(work_left(runs, 20)) == "2 runs remain, about 2 h 10 min"
    _finish(runs[2], 7200)
    assert str(work_left(runs, 20)) == "1 run remains, about 2 h 00 min"


def test_before_any_run_has_finished_its_steps_tell(runs):
    assert str(work_left(runs, 20)) == (
        "4 runs remain; how long they take is not known yet"
    )
    _work(runs[0], seconds=0, ago=100)
    _save(runs[0], step=5, ago=0)
    # 400 s each, and 100 s of the first are over.
    assert work_left(runs, 20).seconds == pytest.approx(1500, abs=60)


def test_runs_of_earlier_versions_tell_no_time(runs):
    finish(runs[0], first_right(9))
    assert work_left(runs, 20).seconds is None


def test_runs_that_only_lack_robustness_tell_no_time(records, tmp_path):
    runs = plan_of(records, tmp_path, "grw", seeds=1, robustness=True).runs()
    for run in runs:
        _finish(run, 600)
        assert run.finished
        (run.folder / "robustness.json").unlink()
        assert run.measured and not run.finished
        _work(run, seconds=500, ago=0)
        _save(run, step=20, ago=0)
    assert work_left(runs, 20).seconds is None
