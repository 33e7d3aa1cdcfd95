"""Tests of Random Mean Scaling."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from grw_tf.layers import RandomMeanScaling
from grw_tf.layers.alpha_distribution import Normal, Uniform, parse_distribution
from grw_tf.layers.local_mean import local_mean

SHAPES = {4: (3, 4, 5, 2), 5: (3, 4, 3, 5, 2)}
FILTERS = ("mean", "gaussian")


@pytest.fixture(scope="module")
def maps():
    rng = np.random.default_rng(0)
    return {rank: rng.normal(size=shape) for rank, shape in SHAPES.items()}


def _mean(x, filter="mean", causal=False):
    std = 0.4 if filter == "gaussian" else None
    return local_mean(tf.constant(x), 3, std, causal).numpy()


def _component(x, name, filter="mean"):
    mean = _mean(x, filter)
    return {"mean": mean, "residual": x - mean, "feature": x}[name]


def _alphas(x, y, scaled):
    """Alpha of each clip, which must be one number over its map."""
    axes = (*range(1, x.ndim),)
    slopes = ((y - x) * scaled).sum(axes, keepdims=True)
    slopes /= (scaled**2).sum(axes, keepdims=True)
    np.testing.assert_allclose(y, x + slopes * scaled, atol=1e-12)
    return 1 + slopes.ravel()


@pytest.mark.parametrize("rank", [4, 5])
@pytest.mark.parametrize("filter", FILTERS)
@pytest.mark.parametrize("component", ["mean", "residual", "feature"])
@pytest.mark.parametrize("level", ["clip", "batch"])
def test_component_is_scaled_by_one_alpha(maps, rank, filter, component, level):
    layer = RandomMeanScaling(filter, component=component, level=level, dtype="float64")
    x = maps[rank]
    scaled = _component(x, component, filter)
    alphas = _alphas(x, layer(x, training=True).numpy(), scaled)
    assert len(np.unique(alphas.round(9))) == (3 if level == "clip" else 1)
    again = _alphas(x, layer(x, training=True).numpy(), scaled)
    assert (np.abs(again - alphas) > 1e-9).all()


@pytest.mark.parametrize("filter", FILTERS)
def test_causal_windows_end_with_the_frame(maps, filter):
    layer = RandomMeanScaling(filter, causal=True, dtype="float64")
    y = layer(maps[5], training=True).numpy()
    _alphas(maps[5], y, _mean(maps[5], filter, causal=True))


def test_later_frames_change_nothing_earlier(maps):
    layer = RandomMeanScaling(causal=True, distribution="normal(3, 0)", dtype="float64")
    changed = maps[5].copy()
    changed[:, 2:] += 100
    for training in (False, True):
        before = layer(maps[5], training=training)
        after = layer(changed, training=training)
        np.testing.assert_array_equal(after[:, :2], before[:, :2])
        assert (after[:, 2:].numpy() != before[:, 2:].numpy()).all()


@pytest.mark.parametrize(
    ("distribution", "mean", "std"),
    [
        ("normal(1, 0.5)", 1, 0.5),
        ("normal(0.5, 0.2)", 0.5, 0.2),
        ("uniform(0, 2)", 1, 2 / 12**0.5),
        ("uniform(-0.5, 2.5)", 1, 3 / 12**0.5),
    ],
)
def test_alphas_have_the_distribution(distribution, mean, std):
    layer = RandomMeanScaling(distribution=distribution, component="feature")
    tf_keras.utils.set_random_seed(0)
    alphas = layer(tf.ones((4000, 1, 1, 1)), training=True).numpy()
    assert abs(alphas.mean() - mean) < 4 * std / 4000**0.5
    assert abs(alphas.std() - std) < 0.05 * std
    if distribution.startswith("uniform"):
        assert mean - 3**0.5 * std <= alphas.min()
        assert alphas.max() <= mean + 3**0.5 * std
    else:
        assert np.abs(alphas - mean).max() > 3 * std


@pytest.mark.parametrize("distribution", ["normal(1, 0.5)", "normal(0.4, 0.5)"])
def test_mean_of_training_is_inference(maps, distribution):
    layer = RandomMeanScaling(distribution=distribution)
    x = np.repeat(maps[4][:1], 4000, axis=0).astype("float32")
    tf_keras.utils.set_random_seed(0)
    trained = layer(x, training=True).numpy().mean(0)
    inferred = layer(x[:1]).numpy()[0]
    error = 4 * 0.5 / 4000**0.5 * np.abs(_mean(maps[4][:1])[0])
    assert (np.abs(trained - inferred) < error + 1e-5).all()


@pytest.mark.parametrize("component", ["mean", "residual", "feature"])
def test_other_expectations_act_at_inference(maps, component):
    layer = RandomMeanScaling(
        distribution="uniform(0, 0.5)", component=component, dtype="float64"
    )
    assert layer.acts(training=False)
    scaled = _component(maps[5], component)
    expected = maps[5] - 0.75 * scaled
    np.testing.assert_allclose(layer(maps[5]), expected, atol=1e-12)


def test_learning_phase_is_the_default(maps, monkeypatch):
    layer = RandomMeanScaling(dtype="float64")
    monkeypatch.setattr(tf_keras.backend, "learning_phase", lambda: 1)
    assert layer.acts()
    assert (layer(maps[4]).numpy() != maps[4]).any()


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
@pytest.mark.parametrize("distribution", ["normal(1, 0.5)", "normal(0.5, 0)"])
def test_type_is_that_of_the_policy(maps, policy, distribution):
    layer = RandomMeanScaling(distribution=distribution, dtype=policy)
    for training in (False, True):
        y = layer(tf.constant(maps[5]), training=training)
        assert y.dtype == layer.compute_dtype
    expected = maps[5] - 0.5 * _mean(maps[5])
    if distribution == "normal(0.5, 0)":
        np.testing.assert_allclose(tf.cast(y, tf.float64), expected, atol=0.03)


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("shape", [[None] * 4 + [2], [None] * 3 + [2]])
def test_sides_may_be_unknown(maps, shape, jit_compile):
    layer = RandomMeanScaling("gaussian", dtype="float64")

    @tf.function(jit_compile=jit_compile)
    def scaled(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
        assert y.shape.as_list() == shape
        return y, tape.gradient(y, x)

    x = maps[len(shape)]
    y, gradient = scaled.get_concrete_function(tf.TensorSpec(shape, tf.float64))(
        tf.constant(x)
    )
    alphas = _alphas(x, y.numpy(), _mean(x, "gaussian"))
    assert len(np.unique(alphas)) == 3
    # Each mean's weights have sum 1, so each clip's gradients have alpha on average.
    sums = gradient.numpy().mean((*range(1, x.ndim),))
    np.testing.assert_allclose(sums, alphas, rtol=1e-9)


def test_distribution_may_be_given_itself():
    layer = RandomMeanScaling(distribution=Uniform(0, 1))
    assert layer.get_config()["distribution"] == "uniform(0, 1)"
    x = tf.ones((1, 2, 2, 3))
    np.testing.assert_allclose(layer(x), 0.5 * x)


def test_gradients_reach_the_input_at_inference(maps):
    x = tf.constant(maps[5])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = RandomMeanScaling(dtype="float64")(x)
    np.testing.assert_array_equal(tape.gradient(y, x), np.ones(x.shape))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"filter": "median"}, "Unknown filter 'median': give one of mean, gaussian"),
        ({"component": "all"}, "Unknown component 'all': .* mean, residual, feature"),
        ({"level": "pixel"}, "Unknown level 'pixel': give one of clip, batch"),
        ({"kernel_size": 4}, "kernel_size must be odd and from 1 to 99, got 4"),
        ({"kernel_size": 0}, "kernel_size must be odd and from 1 to 99, got 0"),
        ({"kernel_size": -1}, "kernel_size must be odd and from 1 to 99, got -1"),
        ({"std": -0.1}, "std must be positive and finite, got -0.1"),
        ({"filter": "gaussian", "std": 0}, "std must be positive and finite, got 0"),
        ({"std": float("nan")}, "std must be positive and finite, got nan"),
        ({"distribution": "beta(1, 1)"}, r"Unknown distribution 'beta\(1, 1\)': give"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message) as raised:
        RandomMeanScaling(**arguments)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4), (1, 1, 1, 1, 1, 1)])
def test_other_ranks_are_refused(shape, training):
    with pytest.raises(ValueError, match=r"takes \[batch, time, .* got shape \("):
        RandomMeanScaling()(tf.zeros(shape), training=training)


@pytest.mark.parametrize(
    ("text", "expected", "mean"),
    [
        ("normal(1, 0.5)", Normal(1, 0.5), 1),
        (" uniform (-.5,2.5) ", Uniform(-0.5, 2.5), 1),
        ("uniform(3, 3)", Uniform(3, 3), 3),
        ("normal(1e-1, 0)", Normal(0.1, 0), 0.1),
    ],
)
def test_distributions_are_spelled(text, expected, mean):
    assert parse_distribution(text) == expected
    assert expected.mean == mean


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gauss(1, 0.5)", r"Unknown distribution 'gauss\(1, 0.5\)': give normal\("),
        ("normal", "Unknown distribution 'normal': give"),
        ("normal(1, 0.5", "Unknown distribution"),
        (1.0, "Unknown distribution 1.0: give"),
        ("normal(1)", r"'normal\(1\)' must have two numbers, as normal\(0.5, 1\)"),
        ("uniform(0, 1, 2)", "must have two numbers"),
        ("uniform()", "must have two numbers"),
        ("normal(a, b)", "must have two numbers"),
        ("normal(nan, 1)", r"'normal\(nan, 1\)' must have finite numbers"),
        ("uniform(0, inf)", "must have finite numbers"),
        ("normal(1, -0.5)", r"deviation of normal\(1, -0.5\) is negative: give"),
        ("uniform(2, 0)", r"bounds of uniform\(2, 0\) are the wrong way round: give"),
    ],
)
def test_other_texts_are_refused(text, message):
    with pytest.raises(ValueError, match=message) as raised:
        parse_distribution(text)
    assert "\n" not in str(raised.value)
