"""Conversion of a model's streaming view to one TFLite file."""

import json
import tempfile
import zipfile

import tensorflow as tf

from grw_tf.models.streaming import StreamingModel

LABELS, MANIFEST = "labels.txt", "manifest.json"


def write_streaming_tflite(path, model, class_names):
    """Writes a model's streaming view as a float32 TFLite file of built-in ops.

    Signature `step` takes `image` [1, 1, size, size, 3] in 0..1 and the states, and
    returns the new states under the same names, and `logits` [1, num_classes] where the
    head gives them at each frame. Signature `classify` returns the `logits` of the
    states where it does not. All states start at zero.

    The file carries the labels and a manifest as TFLite metadata does its associated
    files: a zip archive after the model, which `unzip -l` lists.

    Args:
      path: the file to write.
      model: a causal model of `build_model`.
      class_names: names of the classes.

    Raises:
      ValueError: if the model is not causal, not of conv_type "2plus1d" or not float32,
        or the names are not one for each class.
    """
    config = model.config
    if len(class_names) != config.num_classes:
        raise ValueError(
            f"The model has {config.num_classes} classes, got {len(class_names)} names."
        )
    if config.backbone.conv_type != "2plus1d":
        raise ValueError(
            f"conv_type={config.backbone.conv_type} needs Conv3D, which TFLite's"
            " built-in ops lack: export a model of conv_type=2plus1d."
        )
    if model.backbone.compute_dtype != "float32":
        raise ValueError(
            f"The model computes in {model.backbone.compute_dtype}: build it under the"
            " float32 policy, with the same weights, to export it."
        )
    content = _convert(StreamingModel(model))
    with open(path, "wb") as file:
        file.write(content)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(LABELS, "\n".join(class_names) + "\n")
        archive.writestr(MANIFEST, json.dumps({"model": json.loads(config.to_json())}))


def _convert(stream):
    size = stream.model.config.size
    image = tf.TensorSpec((1, 1, size, size, 3), tf.float32, "image")
    states = {
        name: tf.TensorSpec(spec.shape, spec.dtype, name)
        for name, spec in stream.state_specs().items()
    }

    # A signature's inputs are its arguments' names.
    @tf.function(autograph=False, input_signature=[{"image": image, **states}])
    def step(inputs):
        inputs = dict(inputs)
        logits, new_states = stream.step(inputs.pop("image"), inputs)
        return new_states if logits is None else {"logits": logits, **new_states}

    @tf.function(autograph=False, input_signature=[states])
    def classify(inputs):
        return {"logits": stream.classify(inputs)}

    signatures = {"step": step}
    if "logits" not in step.get_concrete_function().structured_outputs:
        signatures["classify"] = classify

    # The variables alone: a Keras model would be traced whole, over and over.
    module = tf.Module()
    module.weights = list(stream.model.weights)
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        return converter.convert()
