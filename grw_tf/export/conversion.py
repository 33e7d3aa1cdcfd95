"""From a streaming network to the bytes of a float32 TFLite model."""

import re
import tempfile

import tensorflow as tf
from tensorflow.lite.python.convert_phase import ConverterError

from grw_tf.export.streaming_network import StreamingNetwork


def convert(network: StreamingNetwork) -> bytes:
    """Converts a network to TFLite, of built-in operations alone.

    Signature `step` takes the frames as `image`, and the states, and returns the new
    states under the same names, and `logits` [1, num_classes] where the head gives them
    at each step. Signature `classify` returns the `logits` of the states where it does
    not. Both are in one file with one set of weights.

    Raises:
        ValueError: If an operation is none of TFLite's own; it names its layer.
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

    # The variables alone: a Keras model would be traced whole, over and over.
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
    """Returns what pages of graph amount to."""
    found = re.search(r'"([^"@]*)@[^\n]*\'tf\.(\w+)\' op is neither', message)
    if not found:
        return f"TFLite cannot have this model: {message[:500]}"
    layer, operation = found.groups()
    return (
        f"{operation} at {layer} is none of TFLite's built-in operations and would need"
        " Flex, which phones lack: train with another activation."
    )
