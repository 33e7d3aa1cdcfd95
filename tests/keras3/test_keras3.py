"""Tests of the loss and the layers for Keras 3."""

import importlib.util

import pytest


@pytest.mark.slow
def test_keras3_on_tensorflow(run_isolated):
    run_isolated("keras3_checks.py", KERAS_BACKEND="tensorflow")


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_all_backends_give_the_formula(run_isolated, backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed: pip install {backend}")
    run_isolated("keras3_backend_checks.py", KERAS_BACKEND=backend)
