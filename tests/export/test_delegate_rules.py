"""Tests that patterns which GPU delegates fail on are found, and outputs separated."""

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from grw_tf.export.conversion import convert_functions
from grw_tf.export.delegate_rules import RULES, find_patterns
from grw_tf.export.flatbuffer import read_model, write_model
from grw_tf.export.own_outputs import separate_outputs
from grw_tf.export.quantization.operation_recipes import quantize_layers
from grw_tf.export.quantization.state_quantization import quantize_states

SHAPE = (1, 4, 4, 3)
_RANDOM = np.random.default_rng(0)
KERNEL = tf.constant(_RANDOM.normal(size=(3, 3, 3, 40)), tf.float32)


def _convert(function, shape=SHAPE, dtype=tf.float32):
    """Converts a function of an image and a state; the state is float32."""
    specs = {
        "image": tf.TensorSpec(shape, dtype, "image"),
        "state": tf.TensorSpec(shape, tf.float32, "state"),
    }
    step = tf.function(
        lambda inputs: function(inputs["image"], inputs["state"]),
        autograph=False,
        input_signature=[specs],
    )
    return convert_functions({"step": step})


def _rules(content):
    return {finding.rule for finding in find_patterns(content)}


def _clean(image, state):
    return {"logits": tf.nn.relu(image - state), "state": 2.0 * state}


def _read(image, state):
    mean = image - state
    return {"logits": tf.nn.relu(mean), "state": mean}


def _state_sum(image, state):
    return {"logits": tf.nn.relu(image), "state": state + tf.exp(image)}


def _passed_through(image, state):
    return {"logits": tf.nn.relu(image * state), "state": state}


def _constant(image, state):
    return {"logits": tf.nn.relu(image * state), "state": tf.ones(SHAPE)}


def _twice(image, state):
    product = tf.exp(image * state)
    return {"logits": product, "state": product}


OUTPUTS = {
    "output_read": _read,
    "output_of_state_sum": _state_sum,
    "output_not_computed": _passed_through,
    "output_twice": _twice,
}


def _five_axes(image, state):
    shape = (1, 2, 2, 4, 3)
    wide = tf.transpose(tf.reshape(image * state, shape), (0, 2, 1, 3, 4))
    return {"logits": tf.reshape(wide, SHAPE)}


def _vector(image, state):
    total = tf.reduce_sum(image * state, (0, 1, 2))
    return {"logits": tf.exp(total)[None] * state}


OTHERS = {
    "five_axes": (_five_axes, {}),
    "vector": (_vector, {}),
    "byte_cast": (
        lambda image, state: {"logits": tf.cast(image, tf.float32) * state},
        {"dtype": tf.uint8},
    ),
    "unlisted_operation": (
        lambda image, state: {"logits": tf.reverse(image * state, (1,))},
        {},
    ),
    "dynamic_shape": (
        lambda image, state: {"logits": image * state},
        {"shape": (None, 4, 4, 3)},
    ),
}


def test_graph_without_patterns_has_no_finding():
    assert not find_patterns(_convert(_clean))


@pytest.mark.parametrize("rule", OUTPUTS)
def test_outputs_are_found_and_separated_with_the_same_numbers(rule):
    content = _convert(OUTPUTS[rule])
    assert rule in _rules(content)
    separated = separate_outputs(content)
    assert not find_patterns(separated)
    inputs = {
        name: _RANDOM.normal(size=SHAPE).astype(np.float32)
        for name in ("image", "state")
    }
    results = [
        Interpreter(model_content=c).get_signature_runner("step")(**inputs)
        for c in (content, separated)
    ]
    for name, value in results[0].items():
        np.testing.assert_array_equal(results[1][name], value)


def test_constant_output_is_found_and_separated():
    content = _convert(_constant)
    assert "output_not_computed" in _rules(content)
    assert not find_patterns(separate_outputs(content))


@pytest.mark.parametrize("rule", OTHERS)
def test_operations_and_shapes_are_found(rule):
    function, fields = OTHERS[rule]
    content = _convert(function, **fields)
    assert rule in _rules(content)
    # They are not repaired.
    assert rule in _rules(separate_outputs(content))


def test_relu_to_one_is_found():
    content = _convert(lambda image, state: {"logits": tf.exp(image * state)})
    model = read_model(content)
    (code,) = (
        code
        for code in model.operatorCodes
        if code.builtinCode == schema.BuiltinOperator.EXP
    )
    code.builtinCode = schema.BuiltinOperator.RELU_0_TO_1
    # What says that the other field counts.
    code.deprecatedBuiltinCode = 127
    assert _rules(write_model(model)) == {"relu_0_to_1"}


@pytest.mark.parametrize("mode", ["weight_only", "dynamic"])
def test_weights_in_8_bits_are_found_and_in_half_precision_are_not(mode):
    content = _convert(
        lambda image, state: {"logits": tf.nn.conv2d(image * state, KERNEL, 1, "SAME")}
    )
    assert not find_patterns(content)
    assert not find_patterns(quantize_layers(content, "float16"))
    assert "byte_weights" in _rules(quantize_layers(content, mode))


def test_states_in_8_bits_are_found():
    content = quantize_states(_convert(_clean), {"state": (-1.0, 1.0)})
    assert "dequantized_input" in _rules(content)


def test_finding_says_how_often_and_where():
    (finding,) = find_patterns(_convert(_passed_through))
    assert (finding.count, finding.places) == (1, ("step_state:0",))
    assert finding.source and finding.meaning
    assert finding.rule in RULES
