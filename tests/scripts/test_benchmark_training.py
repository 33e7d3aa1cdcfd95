"""Tests of the benchmark of training steps, at toy size."""

import dataclasses

import numpy as np
import pytest

from grw_tf.common import paired_timing
from grw_tf.training import step_timing
from grw_tf.training.optimization.two_rates import grouped
from grw_tf.weights.model_variables import with_backbone
from scripts import benchmark_training

OPTIONS = benchmark_training.Options(
    model_id="nano", size=32, frames=8, batch_size=2, rounds=2
)


@pytest.fixture(scope="module")
def configs():
    return benchmark_training.configs_of(OPTIONS)


@pytest.mark.parametrize("model_id", ["slowonly_50", "mobilenet_v3_small"])
def test_other_families_are_refused(model_id):
    options = dataclasses.replace(OPTIONS, model_id=model_id)
    with pytest.raises(ValueError, match=f"^Unknown model_id '{model_id}'; known: a0,"):
        benchmark_training.configs_of(options)


@pytest.fixture(scope="module")
def batch(configs):
    return step_timing.make_batch(configs["a"], OPTIONS.batch_size)


def test_forms_differ_in_head_and_smoothing_alone(configs):
    plain = configs["b"]
    assert configs["a"] == plain
    assert plain.smoothing.layers == configs["b'"].smoothing.layers == ()
    assert configs["c"].smoothing.layers == ("final",)
    assert configs["d"].smoothing.layers == ("block1_layer1",)
    assert configs["c"].head == configs["b'"].head != plain.head == configs["d"].head
    for config in configs.values():
        same = {"head": plain.head, "smoothing": plain.smoothing}
        assert dataclasses.replace(config, **same) == plain


def test_recomputed_form_differs_in_nothing_else(configs):
    options = dataclasses.replace(OPTIONS, forms="b,r")
    plain, recomputed = benchmark_training.configs_of(options).values()
    assert plain == configs["b"] and recomputed.backbone.recompute
    assert with_backbone(recomputed, recompute=False) == plain


@pytest.fixture(scope="module")
def trainers(configs, batch):
    """The Model Garden's, and ours of the same model."""
    return (
        step_timing.official_trainer(configs["a"], batch),
        step_timing.own_trainer(configs["b"], batch),
    )


@pytest.mark.slow
def test_official_model_is_the_same_network(trainers, batch):
    official, own = trainers
    shapes = [
        [tuple(variable.shape) for variable in trainer.model.trainable_variables]
        for trainer in trainers
    ]
    assert shapes[0] == shapes[1]
    assert not official.model.losses and not own.model.losses
    own.model.set_weights(official.model.get_weights())
    np.testing.assert_allclose(
        official.model(batch[0], training=True),
        own.model(batch[0], training=True),
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.slow
def test_official_optimizer_is_of_the_same_kind(trainers):
    official, own = (trainer.optimizer for trainer in trainers)
    assert isinstance(own, type(official))
    for each in grouped(own).optimizers.values():
        assert type(each) is type(official._optimizer)


@pytest.mark.slow
def test_steps_are_timed(configs):
    # Compiling takes most of the time, and the benchmark of the input compiles ours.
    seconds = benchmark_training.time_steps({"a": configs["a"]}, OPTIONS)
    assert list(seconds) == ["a"]
    for values in seconds.values():
        assert values.wall.shape == values.cpu.shape == (2,)
        assert (values.wall > 0).all() and (values.cpu > 0).all()


def test_report_has_a_line_for_each_form_and_ratio(configs):
    seconds = {
        form: paired_timing.Seconds(np.full(2, index + 1.0), np.full(2, 4.0))
        for index, form in enumerate([*configs, "r"])
    }
    text = benchmark_training.report(OPTIONS, seconds)
    assert "nano stream, clips [2, 8, 32, 32, 3], 2 steps of each" in text
    assert "b/a     2.000  2.000..2.000     1.000  1.000..1.000" in text
    lines = text.splitlines()
    assert len(lines) == 4 + len(seconds) + len(benchmark_training.PAIRS)
    assert lines[-1].startswith("peak of memory: ")


@pytest.mark.slow
def test_inference_of_chosen_forms_is_timed():
    options = dataclasses.replace(OPTIONS, forms="a,b", inference=True, causal=False)
    seconds = benchmark_training.time_steps(
        benchmark_training.configs_of(options), options
    )
    assert list(seconds) == ["a", "b"]
    text = benchmark_training.report(options, seconds)
    assert "nano base, clips [2, 8, 32, 32, 3], 2 inferences of each" in text
    assert "b/a" in text and "c/b'" not in text


def test_functions_are_called_in_turn():
    called = []

    def timed(name):
        return lambda: called.append(name) or paired_timing.Seconds(len(called), 0.0)

    seconds = paired_timing.time_in_turn({"x": timed("x"), "y": timed("y")}, rounds=5)
    assert called[:2] == ["x", "y"]
    rounds = [called[i : i + 2] for i in range(2, 12, 2)]
    assert all(sorted(names) == ["x", "y"] for names in rounds)
    walls = np.concatenate([values.wall for values in seconds.values()])
    assert sorted(walls) == list(range(3, 13))


def test_ratio_is_of_the_rounds():
    under = np.array([1.0, 10.0, 100.0])
    ratio = paired_timing.paired_ratio(1.5 * under, under)
    np.testing.assert_allclose([ratio.median, ratio.low, ratio.high], 1.5)


def test_gate_without_official_name_is_refused(configs, batch):
    backbone = dataclasses.replace(
        configs["a"].backbone, gating_activation="hard_sigmoid_keras"
    )
    config = dataclasses.replace(configs["a"], backbone=backbone)
    with pytest.raises(ValueError, match="no name for the gate hard_sigmoid_keras"):
        step_timing.official_trainer(config, batch)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"model_id": "a9"}, "Unknown model_id 'a9'"),
        ({"rounds": 0}, "rounds is 0"),
        (
            {"forms": "a,e"},
            "--forms=a,e: there is no form 'e'; the forms are a, b, b', c, d, r",
        ),
        ({"frames": 3}, "N=3 frames is shorter than one window of T=5"),
    ],
)
def test_options_that_make_no_sense_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        benchmark_training.configs_of(dataclasses.replace(OPTIONS, **change))
