"""Tests of the smoothing layer on embeddings, and of what both layers have to do."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from grw_tf.layers import GRWSmoothing, IntermediateGRWSmoothing
from grw_tf.losses import cut_windows, grw_loss, grw_terms

Z = np.random.default_rng(0).normal(size=(2, 7, 4)).astype("float32")
X = np.random.default_rng(0).normal(2, 3, size=(2, 6, 4, 5, 3)).astype("float32")
both = pytest.mark.parametrize(
    ("kind", "inputs"), [(GRWSmoothing, Z), (IntermediateGRWSmoothing, X)]
)


def _mean_loss(z=Z, window=3, **arguments):
    return float(tf.reduce_mean(grw_loss(cut_windows(z, window), **arguments)))


@both
@pytest.mark.parametrize("training", [False, None, True])
def test_output_is_the_input(kind, inputs, training):
    np.testing.assert_array_equal(kind(3)(inputs, training=training), inputs)


def test_loss_is_the_weighted_mean_over_windows():
    layer = GRWSmoothing(3, weight=0.3, alpha=0.7)
    layer(Z, training=True)
    (loss,) = layer.losses
    np.testing.assert_allclose(loss, 0.3 * _mean_loss(alpha=0.7), rtol=1e-6)


def test_windows_of_repeated_frames_alone_take_no_part():
    # Windows of 3: the second clip has two new frames, and one in its second window.
    new = np.array([[1, 1, 1, 1, 1, 1, 1], [1, 1, 0, 0, 0, 0, 0]], bool)
    layer = GRWSmoothing(3, weight=0.3, name="grw")
    layer(Z, training=True, new_frames=new)
    (loss,) = layer.losses
    whole, only = _mean_loss(Z[:1]), _mean_loss(Z[1:, :3])
    np.testing.assert_allclose(loss, 0.3 * (whole + only) / 2, rtol=1e-6)
    terms = grw_terms(cut_windows(Z, 3))
    expected = (terms.velocity[0] + terms.velocity[1]) / 4 + terms.velocity[2] / 2
    np.testing.assert_allclose(layer.metrics[1].result(), expected, rtol=1e-6)


def test_a_window_with_one_new_frame_takes_part():
    new = np.ones((2, 7), bool)
    new[:, 1:3] = new[:, 4:6] = False
    masked, whole = GRWSmoothing(3), GRWSmoothing(3)
    masked(Z, training=True, new_frames=new)
    whole(Z, training=True)
    np.testing.assert_allclose(masked.losses[0], whole.losses[0], rtol=1e-6)


def test_clips_without_a_window_left_cost_nothing():
    layer = GRWSmoothing(3)
    with tf.GradientTape() as tape:
        z = tf.Variable(Z)
        layer(z, training=True, new_frames=np.zeros((2, 7), bool))
        (loss,) = layer.losses
    assert loss == 0
    np.testing.assert_array_equal(tape.gradient(loss, z), np.zeros_like(Z))


@pytest.mark.parametrize(
    "new",
    [np.ones((2, 7), "float32"), np.ones((2, 6), bool), np.ones((2, 7, 1), bool)],
)
def test_new_frames_of_another_kind_are_refused(new):
    layer = GRWSmoothing(3)
    with pytest.raises(ValueError, match=r"new_frames must be bool \[2, 7\]") as caught:
        layer(Z, training=True, new_frames=new)
    assert "got" in str(caught.value)


def test_two_halves_of_a_batch_have_the_loss_of_the_whole():
    new = np.ones((2, 7), bool)
    new[1, 2:] = False
    losses = []
    for part in (slice(0, 2), slice(0, 1), slice(1, 2)):
        layer = GRWSmoothing(3)
        layer(Z[part], training=True, new_frames=new[part])
        losses.append(float(layer.losses[0]))
    assert losses[0] == pytest.approx((losses[1] + losses[2]) / 2, rel=1e-6)


@both
@pytest.mark.parametrize("training", [False, None])
def test_layer_is_silent_but_in_training(kind, inputs, training):
    layer = kind(3)
    layer(inputs, training=training)
    assert layer.losses == []
    assert layer.metrics[0].count == 0
    for name, weight in zip(("mean", "variance"), layer.get_weights(), strict=False):
        np.testing.assert_array_equal(weight, {"mean": 0, "variance": 1}[name])


@both
@pytest.mark.parametrize(("weight", "training"), [(0.1, False), (0.0, True)])
def test_inference_and_weight_0_add_no_operation(kind, inputs, weight, training):
    layer = kind(3, weight=weight, warmup_steps=5)
    traced = tf.function(lambda z: layer(z, training=training))
    graph = traced.get_concrete_function(tf.TensorSpec(inputs.shape)).graph
    operations = {operation.type for operation in graph.get_operations()}
    assert operations <= {"Placeholder", "Identity", "NoOp"}
    assert layer.losses == []


def test_metrics_have_clear_names_and_values():
    layer = GRWSmoothing(3, weight=0.3, name="grw")
    layer(Z, training=True)
    terms = grw_terms(cut_windows(Z, 3))
    expected = {
        "grw_loss": _mean_loss(),
        "grw_velocity": tf.reduce_mean(terms.velocity),
        "grw_order_accuracy": tf.reduce_mean(terms.order_accuracy),
    }
    results = {metric.name: metric.result() for metric in layer.metrics}
    assert results.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(results[name], value, rtol=1e-6)


def test_weight_grows_over_the_warmup_steps():
    layer = GRWSmoothing(3, weight=0.3, warmup_steps=4)
    step = tf.function(lambda: (layer(Z, training=True), layer.losses[0])[1])
    losses = [float(step()) for _ in range(6)]
    expected = 0.3 * _mean_loss() * np.array([0, 0.25, 0.5, 0.75, 1, 1])
    np.testing.assert_allclose(losses, expected, rtol=1e-6)


def test_warmup_counts_training_steps_only():
    layer = GRWSmoothing(3, warmup_steps=4)
    for training in (False, True, False):
        layer(Z, training=training)
    assert [int(weight) for weight in layer.weights] == [1]


@pytest.mark.parametrize("warmup_steps", [0, 5])
def test_checkpoint_holds_the_step_at_most(tmp_path, warmup_steps):
    layer = GRWSmoothing(3, warmup_steps=warmup_steps)
    layer(Z, training=True)
    path = tf.train.Checkpoint(layer=layer).save(tmp_path / "layer")
    names = {name for name, _ in tf.train.list_variables(path) if "layer/" in name}
    step = {"layer/step/.ATTRIBUTES/VARIABLE_VALUE"}
    assert names == (step if warmup_steps else set())
    assert layer.trainable_weights == []


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        (GRWSmoothing, {}),
        (
            IntermediateGRWSmoothing,
            {"momentum": 0.9, "epsilon": 1e-4, "synchronized": False},
        ),
    ],
)
def test_config_round_trip(kind, more):
    arguments = {
        "window": 4,
        "weight": 0.2,
        "alpha": 0.3,
        "warmup_steps": 7,
        "orders": "sampled",
        "max_orders": 5,
        "seed": 6,
        "name": "grw",
        **more,
    }
    layer = tf_keras.layers.deserialize(tf_keras.layers.serialize(kind(**arguments)))
    assert type(layer) is kind
    assert arguments.items() <= layer.get_config().items()


@both
def test_saved_model_with_the_layer_loads(tmp_path, kind, inputs):
    clips = tf_keras.Input(inputs.shape[1:])
    x = tf_keras.layers.Dense(inputs.shape[-1])(clips)
    model = tf_keras.Model(clips, kind(3, weight=0.3, name="grw")(x))
    model(inputs, training=True)
    model.save(tmp_path / "model.keras")
    loaded = tf_keras.models.load_model(tmp_path / "model.keras")
    for weight, expected in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)
    np.testing.assert_array_equal(
        loaded(inputs, training=True), model(inputs, training=True)
    )
    np.testing.assert_array_equal(loaded.losses, model.losses)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_loss_is_float32_under_mixed_precision(policy):
    layer = GRWSmoothing(3, dtype=policy)
    z = tf.constant(100 * Z)
    with tf.GradientTape() as tape:
        tape.watch(z)
        output = layer(z, training=True)
        (loss,) = layer.losses
    assert output.dtype == layer.compute_dtype
    assert loss.dtype == tf.float32
    np.testing.assert_allclose(loss, 0.1 * _mean_loss(100 * Z), rtol=0.02)
    assert np.isfinite(tape.gradient(loss, z)).all()


def test_float64_stays_float64():
    layer = GRWSmoothing(3, dtype="float64")
    layer(Z.astype("float64"), training=True)
    assert layer.losses[0].dtype == tf.float64


@both
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_embeddings_that_are_not_finite_name_the_layer(kind, inputs, bad):
    z = inputs.copy()
    z[0, 0, 0] = bad
    layer = kind(3, name="grw_here")
    with pytest.raises(tf.errors.InvalidArgumentError, match="'grw_here' are not fin"):
        layer(z, training=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"window": 2}, "at least 3 frames"),
        ({"window": 3, "weight": -0.1}, "'grw': weight must not be negative, got -0.1"),
        ({"window": 3, "alpha": -1}, "'grw': alpha must not be negative"),
        ({"window": 3, "warmup_steps": -1}, "'grw': warmup_steps must not be negative"),
        ({"window": 3, "orders": "all"}, "got 'all'"),
        ({"window": 13, "orders": "exact"}, "reaches T=12, got T=13"),
        ({"window": 13, "max_orders": 1}, "max_orders=1"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        GRWSmoothing(**arguments, name="grw")


@pytest.mark.parametrize(
    ("kind", "z", "message"),
    [
        (GRWSmoothing, Z[:, :4], "'grw': .* N=4 .* T=5"),
        (GRWSmoothing, Z[:, :, 0], r"'grw' takes inputs \[batch, N, K\], got .*\(2, 7"),
        (IntermediateGRWSmoothing, X[:, :4], "'grw': .* N=4 .* T=5"),
        (IntermediateGRWSmoothing, Z, r"takes inputs \[batch, N, height, width, chann"),
    ],
)
def test_bad_inputs_are_refused(kind, z, message):
    with pytest.raises(ValueError, match=message):
        kind(5, name="grw")(z)
