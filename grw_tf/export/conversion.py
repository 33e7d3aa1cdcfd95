"""From a streaming network to the bytes of a float32 TFLite model."""

import tempfile

import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

from grw_tf.export.streaming_network import StreamingNetwork


def convert(network: StreamingNetwork) -> bytes:
    """Converts a network to TFLite, of built-in operations alone.

    Signature `step` takes the frames as `image`, and the states, and returns the new
    states under the same names, and `logits` [1, num_classes] where the head gives them
    at each step. Signature `classify` returns the `logits` of the states where it does
    not. Both are in one file with one set of weights.

    Raises:
      ValueError: if an operation is none of TFLite's own; it names its layer.
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
        # Others are let in, for the converter's own refusal is pages of graph.
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.TFLITE_BUILTINS,
            tf.lite.OpsSet.SELECT_TF_OPS,
        ]
        content = converter.convert()
    _check_built_in(content)
    return content


def _check_built_in(content):
    model = schema.ModelT.InitFromPackedBuf(content)
    for graph in model.subgraphs:
        for operator in graph.operators:
            code = model.operatorCodes[operator.opcodeIndex]
            if code.builtinCode == schema.BuiltinOperator.CUSTOM:
                layer = graph.tensors[operator.outputs[0]].name.decode()
                raise ValueError(
                    f"{code.customCode.decode()} at {layer} is none of TFLite's"
                    " built-in operations, and would need Flex, which phones lack:"
                    " change that layer's activation or type."
                )
