"""Tests of the profile of a training step, at toy size."""

import dataclasses

import pytest
import tensorflow as tf

from grw_tf.cost_table.step_profile import Cost, Limits, measure_limits, profile_step
from scripts import profile_training

OPTIONS = profile_training.Options(
    model_id="nano", size=32, frames=8, batch_size=1, steps=2
)


def test_operations_are_timed_and_counted():
    x = tf.random.normal((2, 24, 24, 8))
    kernels = tf.Variable(tf.ones((3, 3, 8, 16))), tf.Variable(tf.ones((3, 3, 16, 1)))

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            y = tf.nn.conv2d(x, kernels[0], 1, "SAME")
            y = tf.nn.depthwise_conv2d(y, kernels[1], (1, 1, 1, 1), "SAME")
            loss = tf.reduce_sum(y**2)
        return tape.gradient(loss, kernels)

    traced = step.get_concrete_function()
    traced()
    costs = profile_step(
        lambda: [gradient.numpy() for gradient in traced()], traced.graph, 3
    )
    whole = 2 * (2 * 24 * 24 * 16) * (3 * 3 * 8)
    depthwise = 2 * (2 * 24 * 24 * 16) * (3 * 3)
    for kind, flops in (
        ("Conv2D", whole),
        ("Conv2DBackpropFilter", whole),
        ("DepthwiseConv2dNative", depthwise),
        ("DepthwiseConv2dNativeBackpropInput", depthwise),
        ("DepthwiseConv2dNativeBackpropFilter", depthwise),
    ):
        assert costs[kind].flops == flops
        assert costs[kind].count == 1 and 0 < costs[kind].seconds < 1
    # The gradient of the input is not asked for.
    assert "Conv2DBackpropInput" not in costs
    inputs = 2 * 24 * 24 * 8 + 3 * 3 * 8 * 16
    assert costs["Conv2D"].bytes == 4 * (inputs + 2 * 24 * 24 * 16)
    seconds = [cost.seconds for cost in costs.values()]
    assert seconds == sorted(seconds, reverse=True)


def test_limits_are_those_of_a_processor():
    limits = measure_limits()
    assert 0.1 < limits.gflops < 1e5 and 0.1 < limits.gigabytes < 1e4


@pytest.mark.slow
def test_a_training_step_is_profiled():
    _, costs = profile_training.profile(OPTIONS)
    assert costs["Conv2D"].flops and costs["Conv2DBackpropFilter"].flops
    assert "FusedBatchNormGradV3" in costs and "StatefulPartitionedCall" not in costs


def test_report_gives_shares_and_the_least_time():
    costs = {
        "Conv2D": Cost(0.3, 4, 6_400_000_000, 1_500_000_000),
        "Mul": Cost(0.1, 9, 0, 500_000_000),
    }
    lines = profile_training.report(Limits(40.0, 10.0), costs).splitlines()
    assert lines[1].split() == ["Conv2D", "4", "300.0", "75.0%", "21.3", "5.0"]
    assert lines[2].split() == ["Mul", "9", "100.0", "25.0%", "5.0"]
    assert lines[-1] == (
        "all: 400 ms for 6.4 GFLOP and 2.0 GB, which at the limits take 160 ms (40%)"
        " and 200 ms (50%)"
    )


@pytest.mark.parametrize(
    "change, message",
    [({"model_id": "a9"}, "Unknown model_id 'a9'"), ({"steps": 0}, "steps is 0")],
)
def test_options_that_make_no_sense_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        profile_training.profile(dataclasses.replace(OPTIONS, **change))
