"""Tests of the causal head against literal numpy."""

import numpy as np
import pytest
import tensorflow as tf
from random_weights import randomize
from scipy.special import erf, softmax

from grw_tf.layers import CausalTemporalTransformerHead, TemporalTransformerHead
from grw_tf.layers.sincos_position import sincos_positions

FRAMES, HEADS = 6, 4
ARGUMENTS = {"num_classes": 5, "depth": 2, "num_heads": HEADS, "mlp_dim": 16}
Z = np.random.default_rng(0).normal(size=(2, 15, 8)).astype("float32")


@pytest.fixture(scope="module")
def head():
    head = CausalTemporalTransformerHead(frames=FRAMES, name="head", **ARGUMENTS)
    head(Z[:, :FRAMES])
    randomize(head)
    return head


def _numpy_frames(head, z):
    """Returns the head's output [time, channels] before the mean, of one clip z.

    Frame t sees frames t - FRAMES + 1 to t.
    """
    weights = {
        weight.name.removeprefix("head/").split(":")[0]: weight.numpy()
        for weight in head.weights
    }

    def norm(x, name):
        x = x - x.mean(axis=-1, keepdims=True)
        x = x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-5)
        return x * weights[f"{name}/gamma"] + weights[f"{name}/beta"]

    def dense(x, name):
        return x @ weights[f"{name}/kernel"] + weights[f"{name}/bias"]

    time, channels = z.shape
    ago = np.arange(time)[:, None] - np.arange(time)
    unseen = (ago < 0) | (ago >= FRAMES)
    places = np.minimum(np.arange(time), FRAMES - 1)
    x = norm(z, "input_norm") + sincos_positions(FRAMES, channels)[places]
    for block in ("block0", "block1"):
        normed = norm(x, f"{block}/attention_norm")
        query, key, value = (
            np.split(dense(normed, f"{block}/attention/{name}"), HEADS, axis=-1)
            for name in ("query", "key", "value")
        )
        mixed = []
        for q, k, v in zip(query, key, value, strict=True):
            scores = q @ k.T / np.sqrt(channels / HEADS)
            mixed.append(softmax(np.where(unseen, -np.inf, scores), axis=-1) @ v)
        x = x + dense(np.concatenate(mixed, axis=-1), f"{block}/attention/output")
        hidden = dense(norm(x, f"{block}/mlp_norm"), f"{block}/mlp_hidden")
        hidden = hidden * 0.5 * (1 + erf(hidden / np.sqrt(2)))
        x = x + dense(hidden, f"{block}/mlp_output")
    return norm(x, "output_norm")


def _numpy_logits(head, z):
    """Returns the logits [batch, time, classes] after each frame."""
    kernel, bias = (weight.numpy() for weight in head.weights[-2:])
    logits = []
    for clip in z:
        mean = 0.0
        for t, frame in enumerate(_numpy_frames(head, clip)):
            mean = mean + (frame - mean) / min(t + 1, FRAMES)
            logits.append(mean @ kernel + bias)
    return np.reshape(logits, (*z.shape[:2], -1))


def _stream(head, z, chunks):
    """Returns the logits after each chunk, and the last states."""
    specs = head.state_specs(len(z))
    states = {name: tf.zeros(spec.shape, spec.dtype) for name, spec in specs.items()}
    all_logits, start = [], 0
    for size in chunks:
        logits, states = head.update(z[:, start : start + size], states)
        all_logits.append(logits)
        start += size
    return np.stack(all_logits, axis=1), states


def test_clip_is_what_numpy_says(head):
    for frames in range(1, FRAMES + 1):
        z = Z[:, :frames]
        np.testing.assert_allclose(head(z), _numpy_logits(head, z)[:, -1], atol=1e-5)


@pytest.mark.parametrize("chunks", [(1,) * 15, (3, 1, 4, 7), (6, 9), (15,)], ids=str)
def test_stream_is_what_numpy_says_within_the_clip_and_beyond(head, chunks):
    logits, states = _stream(head, Z, chunks)
    expected = _numpy_logits(head, Z)[:, np.cumsum(chunks) - 1]
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    np.testing.assert_allclose(head.classify(states), expected[:, -1], atol=1e-5)


def test_states_keep_their_shapes(head):
    _, states = _stream(head, Z, (2, 13))
    for name, spec in head.state_specs(len(Z)).items():
        assert (states[name].shape, states[name].dtype) == (spec.shape, spec.dtype)


def test_it_has_the_variables_of_the_published_head(head):
    published = TemporalTransformerHead(frames=FRAMES, name="head", **ARGUMENTS)
    published(Z[:, :FRAMES])
    assert [(w.name, w.shape) for w in head.weights] == [
        (w.name, w.shape) for w in published.weights
    ]
    published.set_weights(head.get_weights())
    np.testing.assert_allclose(head(Z[:, :1]), published(Z[:, :1]), atol=1e-6)
    assert np.abs(head(Z[:, :FRAMES]) - published(Z[:, :FRAMES])).max() > 1e-3
