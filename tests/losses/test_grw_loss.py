"""Tests of the loss against the published implementation and literal numpy."""

import math

import numpy as np
import pytest
import tensorflow as tf
from everyday import slow_but
from literal_loss import literal_loss, log_densities

from grw_tf.losses import grw_loss, grw_terms, tensorflow_ops
from grw_tf.random_walk import orders as orders_lib

SMOOTHNESS = {"smooth": 0.05, "walk": 0.6, "rough": 1e3}


def _embeddings(frames, kind="walk", windows=3, channels=4):
    rng = np.random.default_rng(frames)
    steps = 1 + SMOOTHNESS[kind] * rng.normal(size=(windows, frames, channels))
    return np.cumsum(steps, axis=1) / channels**0.5


def _loss_and_gradient_tensors(z, **arguments):
    with tf.GradientTape() as tape:
        tape.watch(z)
        loss = grw_loss(z, **arguments)
        mean = tf.reduce_mean(loss)
    return loss, tape.gradient(mean, z)


def _loss_and_gradient(z, **arguments):
    loss, gradient = _loss_and_gradient_tensors(tf.convert_to_tensor(z), **arguments)
    return loss.numpy(), gradient.numpy()


def _assert_close(actual, expected, tolerance):
    """Compares arrays relative to the greatest of the expected values."""
    scale = np.abs(expected).max()
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize(
    ("dtype", "suffix", "loss_tolerance", "gradient_tolerance"),
    [("float32", "", 2e-6, 1e-5), ("float64", "64", 1e-9, 1e-9)],
)
def test_loss_equals_the_published_implementation(
    published_cases, dtype, suffix, loss_tolerance, gradient_tolerance
):
    assert len(published_cases) == 136
    for case in published_cases:
        z = case["Z"].astype(dtype)
        loss, gradient = _loss_and_gradient(z, alpha=case["alpha"])
        _assert_close(loss.mean(), case["loss" + suffix], loss_tolerance)
        _assert_close(gradient, case["grad" + suffix], gradient_tolerance)


@pytest.mark.parametrize("frames", range(3, 11))
def test_exact_equals_brute_force(frames):
    windows = 3 if frames < 10 else 1
    z = _embeddings(frames, windows=windows)
    expected = literal_loss(z, orders_lib.enumerate_orders(frames))
    np.testing.assert_allclose(grw_loss(z, orders="exact"), expected, rtol=1e-9)
    np.testing.assert_allclose(grw_loss(tf.cast(z, "float32")), expected, rtol=2e-6)


@pytest.mark.parametrize("frames", [8, 9])
def test_exact_gradient_equals_brute_force(frames):
    z, orders = _embeddings(frames), orders_lib.enumerate_orders(frames)
    weights = tf.nn.softmax(log_densities(z, orders)).numpy()
    weights[:, 0] -= 1
    form = orders_lib.acceleration_form(frames)
    places = np.argsort(orders, axis=1)
    moved = form[places[:, :, None], places[:, None, :]]
    mean_form = np.tensordot(weights, moved, axes=1)
    expected = -(mean_form @ z) / len(z)
    _, gradient = _loss_and_gradient(z, alpha=0.0)
    np.testing.assert_allclose(gradient, expected, atol=1e-12)


@pytest.mark.parametrize("frames", range(3, 13))
def test_constant_embeddings_give_every_order_the_same_chance(frames):
    z = np.full((2, frames, 5), 7, "float32")
    loss, gradient = _loss_and_gradient(z)
    np.testing.assert_allclose(loss, math.log(math.factorial(frames - 1)), rtol=1e-6)
    np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize("frames", [7, 10, 11, 12])
def test_sum_over_orders_does_not_depend_on_the_order_it_starts_from(frames):
    z = _embeddings(frames)
    shuffled = z[:, [0, *reversed(range(2, frames)), 1]]
    sums = [
        grw_loss(each, alpha=0.0) + log_densities(each, np.arange(frames)[None])[:, 0]
        for each in (z, shuffled)
    ]
    np.testing.assert_allclose(*sums, rtol=1e-12)


@pytest.mark.parametrize("frames", [5, 8])
def test_loss_is_accurate_far_from_the_origin(frames):
    z = (_embeddings(frames) + 1e3).astype("float32")
    exact_loss, exact_gradient = _loss_and_gradient(z.astype("float64"))
    loss, gradient = _loss_and_gradient(z)
    _assert_close(loss, exact_loss, 2e-6)
    _assert_close(gradient, exact_gradient, 1e-5)


@pytest.mark.parametrize("frames", [5, 8])
def test_loss_is_accurate_for_very_rough_embeddings(frames):
    z = _embeddings(frames, "rough")
    exact_loss, exact_gradient = _loss_and_gradient(z)
    loss, gradient = _loss_and_gradient(z.astype("float32"))
    _assert_close(loss, exact_loss, 2e-6)
    _assert_close(gradient, exact_gradient, 1e-5)


@pytest.mark.parametrize("frames", [3, 5, 7, 8, 12])
def test_tiny_losses_of_smooth_embeddings_are_relatively_accurate(frames):
    z = 3 * _embeddings(frames, "smooth")
    exact_loss, exact_gradient = _loss_and_gradient(z, alpha=0.0)
    loss, gradient = _loss_and_gradient(z.astype("float32"), alpha=0.0)
    assert 1e-30 < exact_loss.max() < 1e-6
    np.testing.assert_allclose(loss, exact_loss, rtol=5e-4)
    _assert_close(gradient, exact_gradient, 1e-4)


@pytest.mark.parametrize("kind", ["smooth", "walk", "rough"])
@pytest.mark.parametrize("frames", [4, 6, 8])
def test_order_accuracy_says_whether_the_true_order_is_the_likeliest(frames, kind):
    z = _embeddings(frames, kind, windows=20)
    log_f = log_densities(z, orders_lib.enumerate_orders(frames))
    expected = log_f[:, 0] > log_f[:, 1:].max(axis=1)
    np.testing.assert_array_equal(grw_terms(z).order_accuracy, expected)


def test_order_accuracy_is_0_for_a_tie():
    assert not grw_terms(np.ones((2, 8, 3))).order_accuracy.numpy().any()


def test_velocity_is_half_the_sum_of_squared_steps():
    z = np.array([[[0.0, 0.0], [3.0, 4.0], [3.0, 4.0]]])
    np.testing.assert_allclose(grw_terms(z).velocity, [12.5])


@pytest.mark.parametrize("frames", [6, 9, 13])
def test_sampled_equals_the_literal_form_of_the_same_orders(frames):
    z = 0.2 * _embeddings(frames)
    true = np.arange(frames)[None]
    others = orders_lib.sample_orders(frames, 99, seed=3)
    others = others[(others != true).any(axis=1)]
    expected = literal_loss(z, np.concatenate([true, others]))
    loss = grw_loss(z, orders="sampled", max_orders=100, seed=3)
    np.testing.assert_allclose(loss, expected, rtol=1e-9)


def test_sampling_as_many_orders_as_there_are_is_exact():
    z = _embeddings(6)
    loss = grw_loss(z, orders="sampled", max_orders=math.factorial(5))
    np.testing.assert_array_equal(loss, grw_loss(z))


def test_sampled_orders_are_new_at_each_call_but_with_a_seed():
    z = tf.constant(0.1 * _embeddings(13))

    @tf.function
    def losses(seed):
        return grw_loss(z, max_orders=20, seed=seed)

    assert (losses(None).numpy() != losses(None).numpy()).all()
    np.testing.assert_array_equal(losses(5), losses(5))
    np.testing.assert_array_equal(losses(5), grw_loss(z, max_orders=20, seed=5))
    assert (losses(5).numpy() != losses(6).numpy()).all()


def test_sampled_loss_is_0_where_only_the_true_order_is_drawn():
    seed = next(
        seed
        for seed in range(99)
        if (orders_lib.sample_orders(4, 1, seed) == np.arange(4)).all()
    )
    arguments = {"orders": "sampled", "max_orders": 2, "seed": seed, "alpha": 0.0}
    loss, gradient = _loss_and_gradient(_embeddings(4), **arguments)
    np.testing.assert_array_equal(loss, 0)
    np.testing.assert_array_equal(gradient, 0)


ARGUMENTS = {
    "enumerated": {"frames": 6},
    "dynamic": {"frames": 8},
    "sampled": {"frames": 13, "max_orders": 50, "seed": 0},
}


@pytest.mark.parametrize(
    "compiler, orders",
    slow_but(
        [("graph", "dynamic"), ("xla", "enumerated"), ("xla", "sampled")],
        [(compiler, orders) for compiler in ("graph", "xla") for orders in ARGUMENTS],
    ),
)
def test_compiled_equals_eager(compiler, orders):
    arguments = dict(ARGUMENTS[orders])
    z = tf.constant(_embeddings(arguments.pop("frames")), tf.float32)

    compiled = tf.function(
        lambda z: _loss_and_gradient_tensors(z, **arguments),
        jit_compile=compiler == "xla",
    )
    loss, gradient = _loss_and_gradient(z, **arguments)
    compiled_loss, compiled_gradient = compiled(z)
    _assert_close(compiled_loss, loss, 2e-6)
    _assert_close(compiled_gradient, gradient, 1e-5)


def test_xla_draws_new_orders_at_each_call():
    z = tf.constant(0.1 * _embeddings(13))
    losses = tf.function(lambda: grw_loss(z, max_orders=20), jit_compile=True)
    assert (losses().numpy() != losses().numpy()).all()


def test_number_of_windows_may_be_unknown_while_tracing():
    z = tf.constant(_embeddings(8))
    spec = tf.TensorSpec((None, 8, z.shape[2]), z.dtype)
    traced = tf.function(grw_loss, input_signature=[spec])
    np.testing.assert_allclose(traced(z), grw_loss(z), rtol=1e-12)


def test_loss_works_under_a_strategy():
    z = tf.constant(_embeddings(5))
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    loss = strategy.run(tf.function(grw_loss), (z,))
    np.testing.assert_allclose(loss, grw_loss(z), rtol=1e-12)


@pytest.mark.parametrize("kept_bits, rtol", [(11, 5e-6), (8, 5e-5)])
@pytest.mark.parametrize("frames", [6, 8])
def test_products_of_accelerators_do_not_move_the_loss(
    monkeypatch, frames, kept_bits, rtol
):
    z = _embeddings(frames).astype("float32")
    loss, gradient = _loss_and_gradient(z)
    matmul = tf.matmul

    def rounded(x):
        mantissa, exponent = np.frexp(x.numpy())
        scale = 2.0**kept_bits
        return tf.constant(np.ldexp(np.round(mantissa * scale) / scale, exponent))

    def accelerators_matmul(a, b, **transpose):
        return matmul(rounded(a), rounded(b), **transpose)

    monkeypatch.setattr(tensorflow_ops, "only_cpus", lambda: False)
    monkeypatch.setattr(tensorflow_ops.tf, "matmul", accelerators_matmul)
    on_accelerator, gradient_on_accelerator = _loss_and_gradient(z)
    np.testing.assert_allclose(on_accelerator, loss, rtol=rtol)
    scale = np.abs(gradient).max()
    np.testing.assert_allclose(
        gradient_on_accelerator, gradient, atol=10 * rtol * scale
    )


def test_a_cpu_multiplies_once():
    graph = tf.function(grw_loss).get_concrete_function(tf.TensorSpec((2, 5, 3))).graph
    products = [op for op in graph.get_operations() if op.type == "MatMul"]
    assert len(products) == 1


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_computed_in_float32(dtype):
    z = tf.cast(_embeddings(5), dtype)
    loss = grw_loss(z)
    assert loss.dtype == tf.float32
    np.testing.assert_array_equal(loss, grw_loss(tf.cast(z, tf.float32)))


@pytest.mark.parametrize(
    ("z", "message"),
    [
        (np.zeros((2, 5)), r"\[windows, T, K\] .* got \(2, 5\)"),
        (np.zeros((2, 2, 5)), "at least 3 frames .* T=2"),
        (np.zeros((2, 5, 3), "int32"), "floating point, got int32"),
    ],
)
def test_bad_windows_are_refused(z, message):
    with pytest.raises(ValueError, match=message):
        grw_loss(z)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"orders": "all"}, "got 'all'"),
        ({"orders": "exact"}, "reaches T=12, got T=13: .* MiB for every window"),
        ({"max_orders": 1}, "max_orders=1"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        grw_loss(_embeddings(13), **arguments)
