"""Tests of what all layers that disturb features at random in training have to do."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from grw_tf.layers import RandomDrop, RandomMeanScaling, ShakeDrop
from grw_tf.layers.stochastic_depth import StochasticDepth
from grw_tf.training.step_random import draw_by_step

X = np.random.default_rng(0).normal(size=(5, 2, 3, 3, 4)).astype("float32") + 3
MAKE = {
    "rms": RandomMeanScaling,
    "uniform rms": lambda: RandomMeanScaling(distribution="uniform(0.3, 1.7)"),
    "drop": RandomDrop,
    "drop of clips": lambda: RandomDrop(level="clip"),
    "shake": ShakeDrop,
}
ARGUMENTS = [
    (
        RandomMeanScaling,
        {
            "filter": "gaussian",
            "kernel_size": 5,
            "std": 0.7,
            "distribution": "uniform(0, 1)",
            "component": "residual",
            "level": "batch",
            "causal": True,
        },
    ),
    (RandomDrop, {"rate": 0.9, "level": "batch"}),
    (RandomDrop, {"rate": 0.9, "level": "clip"}),
    (StochasticDepth, {"rate": 0.9, "level": "batch"}),
    (StochasticDepth, {"rate": 0.9, "level": "clip"}),
    (
        ShakeDrop,
        {"rate": 0.9, "alpha": (-1.0, 1.0), "beta": (0.0, 1.0), "level": "channel"},
    ),
]


def _operations(function):
    spec = tf.TensorSpec([None, 4, 3, 5, 2], tf.float32)
    graph = tf.function(function).get_concrete_function(spec).graph
    return [operation.type for operation in graph.get_operations()]


@pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)
def test_inference_has_no_operation(make):
    layer = make()
    assert layer.acts(training=True) and not layer.acts()
    for training in (None, False):
        assert not layer.acts(training)
        inference = _operations(lambda x, t=training: layer(x, training=t))
        assert inference == _operations(lambda x: x)
    operations = _operations(lambda x: layer(x, training=True))
    assert len(operations) > (3 if isinstance(layer, RandomDrop) else 10)


@pytest.mark.parametrize("kind", [RandomDrop, StochasticDepth, ShakeDrop])
@pytest.mark.parametrize("level", ["batch", "clip"])
def test_rate_0_has_no_operation(kind, level):
    nothing = kind(0, level=level)
    assert not nothing.acts(training=True)
    training = _operations(lambda x: nothing(x, training=True))
    assert training == _operations(lambda x: x)


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize(
    "layer",
    [
        *(RandomDrop(level=level, dtype="float64") for level in ("batch", "clip")),
        *(
            ShakeDrop(0.5, (0, 1), level=level, dtype="float64")
            for level in ("batch", "clip", "channel", "pixel")
        ),
    ],
    ids=lambda layer: f"{layer.name} of a {layer.level}",
)
def test_sides_may_be_unknown(layer, jit_compile):
    disturbed = tf.function(
        lambda x: layer(x, training=True),
        input_signature=[tf.TensorSpec([None] * 5, tf.float64)],
        jit_compile=jit_compile,
    )
    x = X.astype("float64")
    y = disturbed(x).numpy()
    assert y.shape == x.shape
    if isinstance(layer, RandomDrop):
        assert set(np.unique((y / x).round(9))) <= {0, 2}


@pytest.mark.parametrize(("kind", "arguments"), ARGUMENTS)
def test_config_round_trip(kind, arguments):
    layer = tf_keras.layers.deserialize(tf_keras.layers.serialize(kind(**arguments)))
    assert type(layer) is kind
    assert arguments.items() <= layer.get_config().items()


@pytest.mark.parametrize("format", ["tf", "keras"])
@pytest.mark.parametrize(
    ("kind", "arguments"), [ARGUMENTS[0], ARGUMENTS[1], ARGUMENTS[-1]]
)
def test_saved_models_are_the_same(tmp_path, kind, arguments, format):
    inputs = tf_keras.Input((None, None, None, X.shape[-1]))
    model = tf_keras.Model(inputs, kind(**arguments)(inputs))
    path = tmp_path / ("model.keras" if format == "keras" else "model")
    model.save(path, save_format=format)
    loaded = tf_keras.models.load_model(path)
    assert arguments.items() <= loaded.layers[1].get_config().items()
    np.testing.assert_array_equal(loaded(X), model(X))
    moved = np.abs(model(X) - X).max()
    assert moved > 0.1 if kind is RandomMeanScaling else moved == 0
    trained = [loaded(X, training=True).numpy() for _ in range(8)]
    assert all((y != loaded(X).numpy()).any() for y in trained)
    if kind is not RandomDrop:
        assert any((y != trained[0]).any() for y in trained)


@pytest.mark.parametrize(
    ("make", "jit_compile"),
    [
        (RandomMeanScaling, False),
        pytest.param(RandomMeanScaling, True, marks=pytest.mark.slow),
        (RandomDrop, False),
        (lambda: ShakeDrop(0.9, (0, 1)), False),
    ],
    ids=["rms", "rms under xla", "drop", "shake"],
)
def test_training_draws_by_the_step(make, jit_compile):
    def draw(start, seed=0):
        """Returns two layers' outputs, and a gradient, at each of eight steps."""
        inputs = tf_keras.Input(X.shape[1:])
        model = tf_keras.Model(inputs, [make()(inputs) for _ in range(2)])
        step = tf.Variable(start, dtype=tf.int64)
        draw_by_step(model, seed, step)

        @tf.function(jit_compile=jit_compile)
        def run(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                first, second = model(x, training=True)
            return first, second, tape.gradient(first, x)

        drawn = []
        for _ in range(8):
            drawn.append([each.numpy() for each in run(tf.constant(X))])
            step.assign_add(1)
        return np.array(drawn)

    whole, other = draw(0), draw(0, seed=1)
    np.testing.assert_array_equal(draw(3)[:5], whole[3:])
    # In some of the steps, as drops are all or nothing.
    assert (whole[:, 0] != whole[:, 1]).any()
    for drawn, of_other_seed in zip(
        whole.swapaxes(0, 1), other.swapaxes(0, 1), strict=True
    ):
        assert (drawn != of_other_seed).any()
        assert (drawn[1:] != drawn[:-1]).any()
