"""Writing a model's streaming view as one TFLite file."""

from grw_tf.common.labels_file import check_class_names
from grw_tf.export.bundle import write_bundle
from grw_tf.export.conversion import convert
from grw_tf.export.manifest import make_manifest
from grw_tf.export.streaming_network import StreamingNetwork


def write_streaming_tflite(path, model, class_names, frames_per_step=1):
    """Writes a model's streaming view in float32, as `convert`, with its manifest.

    Unchecked: `grw_tf.export.export` compares what it writes with the model.

    Args:
      path: the file to write.
      model: a causal model of `build_model`.
      class_names: names of the classes.
      frames_per_step: how many frames a step takes.

    Raises:
      ValueError: if the model is not causal or not float32, or the names are not one
        for each class.
      OSError: if the file cannot be written.
    """
    check_class_names(class_names, model.config)
    network = StreamingNetwork(model, frames_per_step)
    content = convert(network)
    manifest = make_manifest(network, content)
    write_bundle(path, content, class_names, manifest)
