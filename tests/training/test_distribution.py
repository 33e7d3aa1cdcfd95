"""Tests of training on several replicas."""

import pytest


@pytest.mark.slow
def test_two_replicas_train_as_one(run_isolated):
    run_isolated("distribution_checks.py")
