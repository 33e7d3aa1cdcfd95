"""Tests of the loss and the layers for Keras 3."""


def test_keras3_on_tensorflow(run_isolated):
    run_isolated("keras3_checks.py", KERAS_BACKEND="tensorflow")
