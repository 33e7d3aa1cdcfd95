"""Tests of training on several replicas."""


def test_two_replicas_train_as_one(run_isolated):
    run_isolated("distribution_checks.py")
