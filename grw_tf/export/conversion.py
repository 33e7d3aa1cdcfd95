"""Converts a streaming network to a float32 TFLite model."""

import re
import tempfile

import tensorflow as tf
from tensorflow.lite.python.convert_phase import ConverterError

from grw_tf.export.streaming_network import StreamingNetwork


def convert(network: StreamingNetwork) -> bytes:
    """Converts a network to TFLite, with built-in operations only.

    Signature `step` takes the frames as `image`, and the states. It returns the new
    states under the same names, and `logits` [1, num_classes] if the head gives them at
    each step. If it does not, signature `classify` returns the `logits` of the states.
    Both share one set of weights.

    Raises:
        ValueError: If an operation is not built into TFLite, with its layer.
    """

    def named(specs):
        return {n: tf.TensorSpec(s.shape, s.dtype, n) for n, s in specs.items()}

    # A signature's inputs are its arguments' names.
    inputs = {"image": network.image_spec, **named(network.state_specs())}

    @tf.function(autograph=False, input_signature=[inputs])
    def step(inputs):
        states = dict(inputs)
        logits, new_states = network.step(states.pop("image"), states)
        return new_states if logits is None else {"logits": logits, **new_states}

    @tf.function(autograph=False, input_signature=[named(network.classify_specs())])
    def classify(states):
        return {"logits": network.classify(states)}

    functions = {"step": step, "classify": classify}
    signatures = {name: functions[name] for name in network.signatures}

    # Only the variables: a whole Keras model would be traced again and again.
    module = tf.Module()
    module.weights = list(network.model.weights)
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        try:
            return converter.convert()
        except ConverterError as error:
            raise ValueError(_in_words(str(error))) from error


def _in_words(message):
    """Returns the converter's message in one line."""
    found = re.search(r'"([^"@]*)@[^\n]*\'tf\.(\w+)\' op is neither', message)
    if not found:
        return f"TFLite cannot convert this model: {message[:500]}"
    layer, operation = found.groups()
    return (
        f"{operation} at {layer} is not a built-in operation of TFLite and would need"
        " Flex, which phones lack: train with another activation."
    )
