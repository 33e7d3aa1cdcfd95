"""Tests of the benchmark of the input pipeline, at toy size."""

import dataclasses

import numpy as np
import pytest

from scripts import benchmark_input

OPTIONS = benchmark_input.Options(
    model_id="nano",
    size=32,
    frames=8,
    short_side=48,
    videos=4,
    batch_size=2,
    batches=2,
    rounds=2,
)


@pytest.mark.slow
def test_input_and_step_are_timed():
    seconds = benchmark_input.seconds_a_clip(OPTIONS)
    assert list(seconds) == ["input, threads: 1", "input, threads: 2", "training step"]
    assert all(values.shape == (2,) for values in seconds.values())
    assert all((values > 0).all() for values in seconds.values())


@pytest.mark.parametrize("model_id", ["slowonly_50", "mobilenet_v3_small"])
def test_other_families_are_refused(model_id):
    options = dataclasses.replace(OPTIONS, model_id=model_id)
    with pytest.raises(ValueError, match=f"^Unknown model_id '{model_id}'; known: a0,"):
        benchmark_input.seconds_a_clip(options)


def test_report_compares_with_the_step():
    seconds = {"input, threads: 1": np.full(3, 0.1), benchmark_input.STEP: np.ones(3)}
    first, second = benchmark_input.report(seconds).splitlines()[1:]
    assert first.split() == "input, threads: 1 10.00 10.000 10.000..10.000".split()
    assert second.split() == "training step 1.00".split()
