"""Tests of when the controller trains and evaluates."""

import math

import orbit
import pytest
import tensorflow as tf

from grw_tf.training.controller import Controller, OutOfTime


class _Runner(orbit.AbstractTrainer, orbit.AbstractEvaluator):
    """Counts steps, and notes the loops and evaluations."""

    def __init__(self, step):
        self.step = tf.Variable(step, dtype=tf.int64)
        self.did = []

    def train(self, num_steps):
        begin = int(self.step)
        self.step.assign_add(tf.cast(num_steps, tf.int64))
        self.did.append((begin, int(self.step)))

    def evaluate(self, num_steps):
        self.did.append(int(self.step))


def _controller(runner, loop=2, thaw=0, stop=None, **kwargs):
    return Controller(
        thaw_step=thaw,
        should_stop=lambda step: step == stop,
        trainer=runner,
        evaluator=runner,
        global_step=runner.step,
        steps_per_loop=loop,
        **kwargs,
    )


@pytest.fixture
def did():
    """A function that trains to step 10, and returns what was done."""

    def run(step=0, interval=5, **kwargs):
        runner = _Runner(step)
        _controller(runner, **kwargs).train_and_evaluate(10, eval_interval=interval)
        return runner.did

    return run


def test_evaluates_at_multiples_of_the_interval(did):
    assert did(loop=5) == [(0, 5), 5, (5, 10), 10]


def test_resumed_between_evaluates_at_the_same_steps(did):
    assert did(step=3, loop=5) == [(3, 5), 5, (5, 10), 10]


def test_resumed_at_an_evaluation_makes_up_for_it(did):
    assert did(step=5, loop=5) == [5, (5, 10), 10]
    assert did(step=10) == [10]


def test_loops_end_where_the_backbone_thaws(did):
    assert did(loop=4, interval=10, thaw=6) == [(0, 4), (4, 6), (6, 10), 10]
    assert did(step=6, loop=4, interval=10, thaw=6) == [(6, 10), 10]


def test_stops_after_an_evaluation(did):
    assert did(loop=5, stop=5) == [(0, 5), 5]


def _start(folder, stop_at):
    """Trains from the last checkpoint; returns what was done, and why it stopped."""
    runner = _Runner(0)
    manager = tf.train.CheckpointManager(
        tf.train.Checkpoint(step=runner.step),
        str(folder),
        max_to_keep=1,
        step_counter=runner.step,
        checkpoint_interval=10,
    )
    controller = _controller(runner, checkpoint_manager=manager, stop_at=stop_at)
    try:
        controller.train_and_evaluate(10, eval_interval=5)
    except OutOfTime as error:
        return runner.did, str(error)
    return runner.did, ""


def test_stops_when_the_time_is_over_with_a_checkpoint(tmp_path):
    did, told = _start(tmp_path, stop_at=0.0)
    assert (did, told) == ([(0, 2)], "The time was over at step 2.")
    assert tf.train.latest_checkpoint(tmp_path).endswith("-2")
    did, told = _start(tmp_path, stop_at=math.inf)
    assert (did, told) == ([(2, 4), (4, 5), 5, (5, 7), (7, 9), (9, 10), 10], "")


def test_every_start_gets_on_even_without_time(tmp_path):
    starts = [_start(tmp_path, stop_at=0.0) for _ in range(6)]
    loops = [step for did, _ in starts for step in did if isinstance(step, tuple)]
    assert loops == [(0, 2), (2, 4), (4, 5), (5, 7), (7, 9), (9, 10)]
    assert [told for _, told in starts][-1] == "" and starts[-1][0][-1] == 10
