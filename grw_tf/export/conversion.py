"""Converts a network rewritten for devices to a float32 TFLite model."""

import re
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence

import tensorflow as tf
from tensorflow.lite.python.convert_phase import ConverterError

from grw_tf.common.held_stderr import stderr_without
from grw_tf.export.clip_network import ClipNetwork
from grw_tf.export.streaming_network import StreamingNetwork
from grw_tf.streaming.signature_names import CLASSIFY_CLIP, IMAGE, LOGITS

# What the converter logs at each conversion, and what TensorFlow says of that.
_NOISE = (
    "before absl::InitializeLog() is called",
    "tf_tfl_flatbuffer_helpers.cc",
    "mlir_graph_optimization_pass.cc",
)


def convert(network: StreamingNetwork) -> bytes:
    """Converts a network to TFLite, with built-in operations only.

    Signature `step` takes the frames as `image`, and the states. It returns the new
    states under the same names, and `logits` [1, num_classes] if the head gives them at
    each step. If it does not, signature `classify` returns the `logits` of the states.
    Both share one set of weights.

    Raises:
        ValueError: If an operation is not built into TFLite, with its layer.
    """
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
    return _convert(signatures, network.model)


def convert_clips(network: ClipNetwork) -> bytes:
    """Converts a network of clips to TFLite, with built-in operations only.

    Its signature `classify_clip` takes a clip [1, frames, size, size, 3] as `image`. It
    returns the `logits` [1, num_classes].

    Raises:
        ValueError: As `convert`.
    """

    @tf.function(autograph=False, input_signature=[{IMAGE: network.image_spec}])
    def classify_clip(inputs):
        return {LOGITS: network.classify_clip(inputs[IMAGE])}

    return _convert({CLASSIFY_CLIP: classify_clip}, network.model)


def _convert(signatures, model):
    try:
        return convert_functions(signatures, model.weights)
    except ConverterError as error:
        raise ValueError(_in_words(str(error))) from error


def named(specs: Mapping[str, tf.TensorSpec]) -> dict[str, tf.TensorSpec]:
    """Returns specs that carry their names, which become a signature's inputs."""
    return {n: tf.TensorSpec(s.shape, s.dtype, n) for n, s in specs.items()}


def convert_functions(
    signatures: Mapping[str, Callable],
    weights: Iterable[tf.Variable] = (),
    optimizations: Sequence[tf.lite.Optimize] = (),
) -> bytes:
    """Converts `tf.function`s and the weights that they use to one TFLite model."""
    module = weights_module(weights)
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = list(optimizations)
        with stderr_without(*_NOISE):
            return converter.convert()


def weights_module(weights: Iterable[tf.Variable]) -> tf.Module:
    """Returns a module to save that owns variables.

    A whole Keras model would be traced again and again.
    """
    module = tf.Module()
    module.weights = list(weights)
    return module


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
