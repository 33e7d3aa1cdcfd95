"""Tests of the published head, against the published implementation's outputs."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from random_weights import randomize

from grw_tf.layers import TemporalTransformerHead
from grw_tf.weights.torch.file import read_torch_file


@pytest.fixture(scope="module")
def outputs(shared):
    return np.load(shared / "vectors" / "a0s_random_outputs.npz")


@pytest.fixture(scope="module")
def published_weights(shared):
    return read_torch_file(shared / "vectors" / "a0s_random.pt")["model_state"]


def _by_our_name(torch_weights):
    """Returns the weights of a published head under our variables' names."""
    weights = {}

    def norm(ours, theirs):
        weights[f"{ours}/gamma"] = torch_weights[f"{theirs}.weight"]
        weights[f"{ours}/beta"] = torch_weights[f"{theirs}.bias"]

    def dense(ours, theirs, separator="."):
        weights[f"{ours}/kernel"] = torch_weights[f"{theirs}{separator}weight"].T
        weights[f"{ours}/bias"] = torch_weights[f"{theirs}{separator}bias"]

    norm("input_norm", "ln")
    for index in range(2):
        ours = f"block{index}"
        theirs = f"attention.transformer.layers.{index}"
        norm(f"{ours}/attention_norm", f"{theirs}.0")
        dense("joined", f"{theirs}.1.in_proj", "_")
        for kind in ("kernel", "bias"):
            parts = np.split(weights.pop(f"joined/{kind}"), 3, axis=-1)
            for name, part in zip(("query", "key", "value"), parts, strict=True):
                weights[f"{ours}/attention/{name}/{kind}"] = part
        dense(f"{ours}/attention/output", f"{theirs}.1.out_proj")
        norm(f"{ours}/mlp_norm", f"{theirs}.2.net.0")
        dense(f"{ours}/mlp_hidden", f"{theirs}.2.net.1")
        dense(f"{ours}/mlp_output", f"{theirs}.2.net.3")
    norm("output_norm", "attention.transformer.norm")
    dense("classifier", "attention.linear_head")
    return weights


# The published positions are float32 even where the rest is float64.
@pytest.mark.parametrize(
    ("dtype", "suffix", "tolerance"), [("float32", "", 5e-6), ("float64", "64", 2e-7)]
)
def test_logits_equal_the_published(
    outputs, published_weights, dtype, suffix, tolerance
):
    head = TemporalTransformerHead(600, 8, 2, 8, 512, dtype=dtype, name="head")
    z = outputs["Z" + suffix].reshape(2, 8, 480)
    head(z)
    weights = _by_our_name(published_weights)
    for weight in head.weights:
        weight.assign(weights.pop(weight.name.removeprefix("head/").split(":")[0]))
    assert not weights
    logits = outputs["logits" + suffix]
    np.testing.assert_allclose(head(z), logits, rtol=0, atol=tolerance)


ARGUMENTS = {"num_classes": 5, "depth": 2, "num_heads": 4, "mlp_dim": 16}
Z = np.random.default_rng(0).normal(size=(2, 9, 8)).astype("float32")


@pytest.fixture(scope="module")
def heads():
    """Heads of the same weights, by the number of frames that they see."""
    heads = {}
    for frames in range(1, 7):
        heads[frames] = TemporalTransformerHead(frames=frames, **ARGUMENTS)
        heads[frames](Z[:, :frames])
    randomize(heads[6])
    for head in heads.values():
        head.set_weights(heads[6].get_weights())
    return heads


def _zeros(head):
    specs = head.state_specs(len(Z))
    return {name: tf.zeros(spec.shape, spec.dtype) for name, spec in specs.items()}


def test_stream_classifies_the_frames_so_far_then_the_last_ones(heads):
    head = heads[6]
    states = _zeros(head)
    for seen in range(1, 10):
        logits, states = head.update(Z[:, seen - 1 : seen], states)
        assert logits is None
        frames = min(seen, 6)
        expected = heads[frames](Z[:, seen - frames : seen])
        np.testing.assert_allclose(head.classify(states), expected, atol=1e-5)


@pytest.mark.parametrize("chunks", [(9,), (7, 2), (2, 7), (1, 3, 5)])
def test_stream_does_not_depend_on_the_chunks(heads, chunks):
    states, start = _zeros(heads[6]), 0
    for size in chunks:
        _, states = heads[6].update(Z[:, start : start + size], states)
        start += size
    expected = heads[6](Z[:, 3:])
    np.testing.assert_allclose(heads[6].classify(states), expected, atol=1e-5)


def test_frames_have_positions(heads):
    assert np.abs(heads[6](Z[:, :6]) - heads[6](Z[:, 5::-1])).max() > 1e-3


def test_dropout_acts_in_training_only():
    head = TemporalTransformerHead(frames=9, dropout_rate=0.5, **ARGUMENTS)
    z = tf.constant(Z)
    np.testing.assert_array_equal(head(z), head(z))
    assert (head(z, training=True).numpy() != head(z, training=True).numpy()).any()


def test_stochastic_depth_skips_branches_in_training_only():
    arguments = {"frames": 9, "stochastic_depth_drop_rate": 0.5, **ARGUMENTS}
    head = TemporalTransformerHead(**arguments)
    z = tf.constant(np.repeat(Z[:1], 64, axis=0))
    assert len(np.unique(head(z, training=False).numpy().round(4), axis=0)) == 1
    # Two blocks of two branches, each in or out.
    logits = head(z, training=True).numpy().round(4)
    assert 8 < len(np.unique(logits, axis=0)) <= 16


def test_logits_are_float32_under_mixed_precision():
    head = TemporalTransformerHead(frames=9, dtype="mixed_bfloat16", **ARGUMENTS)
    logits = head(Z)
    assert logits.dtype == tf.float32
    states = _zeros(head)
    _, states = head.update(tf.cast(Z, tf.bfloat16), states)
    np.testing.assert_allclose(head.classify(states), logits, atol=0.1)


def test_config_round_trip():
    arguments = {
        "frames": 9,
        "dropout_rate": 0.1,
        "stochastic_depth_drop_rate": 0.2,
        **ARGUMENTS,
    }
    head = tf_keras.layers.deserialize(
        tf_keras.layers.serialize(TemporalTransformerHead(**arguments))
    )
    assert arguments.items() <= head.get_config().items()


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        (7, "even embed_dim .* embed_dim=7"),
        (6, "num_heads must divide embed_dim, got embed_dim=6 and num_heads=4"),
    ],
)
def test_channels_that_do_not_fit_are_refused(channels, message):
    head = TemporalTransformerHead(frames=9, **ARGUMENTS)
    with pytest.raises(ValueError, match=message):
        head(Z[..., :1] + np.zeros(channels, "float32"))
