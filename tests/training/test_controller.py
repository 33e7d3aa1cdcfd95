"""Tests of when the controller trains and evaluates."""

import orbit
import pytest
import tensorflow as tf

from grw_tf.training.controller import Controller


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


@pytest.fixture
def did():
    """A function that trains to step 10, and returns what was done."""

    def run(step=0, loop=2, interval=5, thaw=0, stop=None):
        runner = _Runner(step)
        controller = Controller(
            thaw_step=thaw,
            should_stop=lambda step: step == stop,
            trainer=runner,
            evaluator=runner,
            global_step=runner.step,
            steps_per_loop=loop,
        )
        controller.train_and_evaluate(10, eval_interval=interval)
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
