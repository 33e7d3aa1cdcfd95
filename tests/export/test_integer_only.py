"""Tests of streams that compute in integers alone."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from everyday import slow_but
from moving_waves import moving_waves
from toy_heads import HEADS

from grw_tf.export.bundle import bundle
from grw_tf.export.conversion import convert, convert_functions
from grw_tf.export.manifest import make_manifest
from grw_tf.export.operations import count_operations
from grw_tf.export.quantization import integer_graph as graphs
from grw_tf.export.quantization.integer_graph import integer_graph
from grw_tf.export.quantization.integer_only import (
    operations_in_float,
    quantize_integer_only,
)
from grw_tf.export.quantization.operation_recipes import quantize_layers
from grw_tf.export.quantization.rollouts import Rollout
from grw_tf.export.state_entries import state_entries
from grw_tf.export.streaming_network import StreamingNetwork
from grw_tf.models import build_model, preset
from grw_tf.streaming import StreamSession

# Each of (backbone, head, frames_per_step, image_dtype).
MODELS = {
    "official": ({}, "official", 1, "uint8"),
    "mean": ({}, "mean", 1, "uint8"),
    "fractions by two": ({}, "official", 2, "float32"),
    "swish": (
        {"activation": "swish", "gating_activation": "sigmoid"},
        "mean",
        1,
        "uint8",
    ),
}


@pytest.fixture(scope="module")
def integer_file(float_file, clips):
    """A function that quantizes one of MODELS, once."""

    @functools.cache
    def make(name):
        return quantize_integer_only(float_file(name), clips)[0]

    return make


@pytest.mark.parametrize("name", slow_but(["official"], MODELS))
def test_no_operation_computes_in_floats_but_at_the_ends(integer_file, name):
    ends = ["QUANTIZE"] * ("fractions" in name) + ["DEQUANTIZE"]
    assert operations_in_float(integer_file(name)) == ends
    # Seen from the interpreter, too.
    interpreter = Interpreter(model_content=integer_file(name))
    computed = [d for d in interpreter.get_tensor_details() if d["dtype"] == np.float32]
    outputs = [d["name"] for d in interpreter.get_output_details()]
    inputs = [d["name"] for d in interpreter.get_input_details()]
    connected = {*inputs, *outputs}
    used = {
        index
        for operation in interpreter._get_ops_details()
        for index in (*operation["inputs"], *operation["outputs"])
    }
    assert all(d["name"] in connected for d in computed if d["index"] in used)


def test_choices_stay_those_of_floats_over_a_long_stream(float_file, integer_file):
    video = moving_waves(9, 300)
    expected, actual = (
        Rollout(content).logits(video)
        for content in (float_file("official"), integer_file("official"))
    )
    same = expected.argmax(-1) == actual.argmax(-1)
    assert same.mean() >= 0.95
    assert same[-len(same) // 6 :].mean() >= 0.95


@pytest.mark.parametrize("name", slow_but(["official"], MODELS))
def test_16_bits_add_next_to_nothing_to_the_noise_of_8_bit_weights(
    float_file, integer_file, name
):
    video = moving_waves(9, 300)
    floats = float_file(name)
    expected, weights, integers = (
        Rollout(content).logits(video)
        for content in (
            floats,
            quantize_layers(floats, "weight_only"),
            integer_file(name),
        )
    )
    assert (weights.argmax(-1) == integers.argmax(-1)).mean() >= 0.98
    errors = [np.square(logits - expected).mean() for logits in (weights, integers)]
    assert 0 < errors[1] < 1.5 * errors[0]


@pytest.mark.parametrize("name", slow_but(["official"], MODELS))
def test_states_are_integers_of_the_same_scale_before_and_after(integer_file, name):
    content = integer_file(name)
    for entry in state_entries(content):
        counts = entry["name"].endswith("frame_count")
        assert entry["dtype"] == ("int32" if counts else "int16")
        assert entry["initial_value"] == 0
    step = Interpreter(model_content=content).get_signature_runner("step")
    before, after = step.get_input_details(), step.get_output_details()
    for entry in state_entries(content):
        name = entry["name"]
        assert before[name]["quantization"] == after[name]["quantization"]


def test_session_runs_the_file_without_a_warning(nano, integer_file, tmp_path, caplog):
    content = integer_file("official")
    network = StreamingNetwork(nano(head=HEADS["official"]))
    path = tmp_path / "integer.tflite"
    path.write_bytes(bundle(content, list("abcde"), make_manifest(network, content)))
    video = moving_waves(9, 20)
    expected = Rollout(content).logits(video)
    with StreamSession(path) as session:
        for frame, logits in zip(video, expected, strict=True):
            session.push_prepared(frame)
            np.testing.assert_array_equal(session.logits(), logits)
    assert not caplog.records


def test_means_still_move_late_in_a_stream(float_file, integer_file):
    """In 16 bits they move by whole steps, and 1/n of a difference is soon less."""
    first = np.repeat(moving_waves(1, 1), 250, axis=0)
    second = np.repeat(moving_waves(2, 1), 250, axis=0)
    moved = []
    for content in (float_file("official"), integer_file("official")):
        rollout = Rollout(content)
        scales = {e["name"]: e.get("scale", 1.0) for e in state_entries(content)}
        ends = []
        for part in (first, second):
            rollout.logits(part)
            ends.append(
                np.concatenate(
                    [
                        state.ravel() * scales[name]
                        for name, state in rollout.states.items()
                        if name.endswith("_mean")
                    ]
                )
            )
        moved.append(ends[1] - ends[0])
    assert np.linalg.norm(moved[0]) > 0
    assert np.linalg.norm(moved[1] - moved[0]) < 0.05 * np.linalg.norm(moved[0])


def test_rewritten_graph_gives_the_same_numbers(float_file, monkeypatch):
    # Means then forget within the stream, but their first frames are as they were.
    monkeypatch.setattr(graphs, "MOST_FRAMES", 20)
    content = float_file("official")
    rewritten = integer_graph(content)
    counts = count_operations(rewritten)
    assert not {"HARD_SWISH", "DIV"}.intersection(counts)
    video = moving_waves(9, 25)
    expected, actual = (Rollout(c).logits(video) for c in (content, rewritten))
    scale = np.abs(expected).max()
    np.testing.assert_allclose(actual[:20], expected[:20], atol=1e-5 * scale)
    assert np.abs(actual[24] - expected[24]).max() > 1e-5 * scale


def test_operations_without_an_integer_form_are_refused():
    spec = {
        "image": tf.TensorSpec((1, 8, 8, 3), tf.uint8, "image"),
        "state": tf.TensorSpec((1, 3), tf.float32, "state"),
    }

    @tf.function(input_signature=[spec])
    def step(inputs):
        mean = tf.reduce_mean(tf.cast(inputs["image"], tf.float32), (1, 2))
        state = tf.sin(mean) + inputs["state"]
        return {"state": state, "logits": 2 * state}

    with pytest.raises(ValueError, match="SIN at .* has no 16-bit kernel"):
        integer_graph(convert_functions({"step": step}))


def test_division_by_a_count_that_is_no_mean_is_refused():
    spec = {
        "image": tf.TensorSpec((1, 8, 8, 3), tf.uint8, "image"),
        "count": tf.TensorSpec((1,), tf.int32, "count"),
    }

    @tf.function(input_signature=[spec])
    def step(inputs):
        mean = tf.reduce_mean(tf.cast(inputs["image"], tf.float32), (1, 2))
        count = inputs["count"] + 1
        return {"count": count, "logits": mean / tf.cast(count, tf.float32)}

    with pytest.raises(ValueError, match="(DIV|CAST) at .* has no 16-bit kernel"):
        integer_graph(convert_functions({"step": step}))


@pytest.mark.slow
@pytest.mark.parametrize(
    "backbone, head",
    [
        ({"use_positional_encoding": True}, "official"),
        ({}, "causal_transformer"),
        ({}, "transformer"),
    ],
)
def test_models_with_such_operations_are_told_which_have_none(nano, backbone, head):
    content = convert(StreamingNetwork(nano(backbone=backbone, head=HEADS[head])))
    message = "has no 16-bit kernel.* MoViNets .* with the official or the mean head"
    with pytest.raises(ValueError, match=message):
        integer_graph(content)


def test_activations_too_large_to_add_are_refused(clips):
    """LiteRT would end the process."""
    spec = {
        "image": tf.TensorSpec((1, 32, 32, 3), tf.uint8, "image"),
        "state": tf.TensorSpec((1, 32, 32, 3), tf.float32, "state"),
    }

    @tf.function(input_signature=[spec])
    def step(inputs):
        large = 1e6 * tf.cast(inputs["image"], tf.float32)
        gate = tf.nn.relu6(large + inputs["state"])
        return {"state": gate, "logits": tf.reduce_mean(gate, (1, 2))}

    content = convert_functions({"step": step})
    with pytest.raises(ValueError, match="reach .* too much to be added in 16 bits"):
        quantize_integer_only(content, clips)


def _converted(features):
    """Converts a stream whose state is the mean of a frame's two features."""
    spec = {
        "image": tf.TensorSpec((1, 32, 32, 3), tf.uint8, "image"),
        "state": tf.TensorSpec((1, 2), tf.float32, "state"),
    }

    @tf.function(input_signature=[spec])
    def step(inputs):
        x = tf.cast(inputs["image"], tf.float32) / 255
        state = tf.reduce_mean(features(x), (1, 2))
        return {"state": state, "logits": state + inputs["state"]}

    return convert_functions({"step": step})


def test_biases_of_tiny_weights_stay_what_they_are(clips):
    """In steps of the weights they would not fit in 32 bits."""
    kernel = np.full((1, 1, 3, 2), 1e-9, np.float32)
    kernel[..., 1] = 1.0

    def features(x):
        return tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, "SAME"), [3.0, -1.0])

    quantized, _ = quantize_integer_only(_converted(features), clips)
    logits = Rollout(quantized).logits(clips[0][:1])
    expected = [3.0, clips[0][0].mean() / 255 * 3 - 1]
    np.testing.assert_allclose(logits[0], expected, atol=0.02)


def test_activations_that_are_always_zero_are_fine(clips):
    """As those before a residual whose factor is still 0."""

    def features(x):
        zeros = tf.nn.conv2d(x, np.zeros((1, 1, 3, 3), np.float32), 1, "SAME")
        kernel = np.ones((1, 1, 3, 2), np.float32)
        return tf.nn.bias_add(tf.nn.conv2d(zeros, kernel, 1, "SAME"), [3.0, -1.0])

    quantized, _ = quantize_integer_only(_converted(features), clips)
    logits = Rollout(quantized).logits(clips[0][:1])
    np.testing.assert_allclose(logits[0], [3.0, -1.0], atol=0.01)


@pytest.mark.slow
def test_mobilenet_computes_in_integers_too(clips):
    model = build_model(preset("mobilenet_v3_small", size=32, frames=8, num_classes=4))
    content = convert(StreamingNetwork(model))
    quantized, _ = quantize_integer_only(content, clips)
    assert operations_in_float(quantized) == ["DEQUANTIZE"]
    video = moving_waves(9, 100)
    expected, actual = (Rollout(c).logits(video) for c in (content, quantized))
    assert (expected.argmax(-1) == actual.argmax(-1)).mean() >= 0.95
