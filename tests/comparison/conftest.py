"""Comparisons of runs that are made up."""

import numpy as np
import pytest
from finished_runs import CLIPS, SEEDS, fail, finish, plan_of, write_odd_records

from grw_tf.comparison.gather import find


def _right(run, index):
    """Which predictions are right: the third variant's more, the second's as many."""
    rng = np.random.default_rng(run.seed)
    order = rng.permutation(CLIPS)
    right = np.zeros(CLIPS, bool)
    right[order[: (10, 11 - run.seed % 2, 20)[index] + run.seed]] = True
    return right


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    return write_odd_records(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="module")
def plan(records, tmp_path_factory):
    plan = plan_of(records, tmp_path_factory.mktemp("comparison"), seeds=SEEDS)
    names = [variant.name for variant in plan.variants]
    for number, run in enumerate(plan.runs()):
        right = _right(run, names.index(run.variant))
        finish(run, right, seed=number)
    return plan


@pytest.fixture(scope="module")
def findings(plan):
    return find(plan, plan.seeds, "python -m scripts.compare --x='<b>'")


@pytest.fixture
def finishing(records, tmp_path):
    """A function that makes a comparison, given which predictions are right."""

    def make(right, seeds=SEEDS, variants="grw"):
        plan = plan_of(records, tmp_path, variants, seeds=seeds)
        names = [variant.name for variant in plan.variants]
        for number, run in enumerate(plan.runs()):
            rights = right(names.index(run.variant), run.seed)
            if rights is not None:
                finish(run, rights, seed=number)
            else:
                fail(run, "ValueError: The loss is nan <at> step 3")
        return plan

    return make
