"""Starting from a checkpoint's backbone."""

import pathlib
import tarfile
import tempfile

import tensorflow as tf
from tensorflow.core.protobuf import trackable_object_graph_pb2

from grw_tf.models.config_record import check_gate, recorded_config


def restore_backbone(model, checkpoint):
    """Restores the backbone of a model, every variable of it.

    Args:
      model: a model of `build_model`.
      checkpoint: prefix, folder, or .tar.gz of a `tf.train.Checkpoint` of a whole model
        (`model=`, as the official ones) or of a `backbone=`.

    Raises:
      ValueError: if there is no checkpoint, or it does not hold this backbone.
    """
    with tempfile.TemporaryDirectory() as folder:
        prefix = _prefix(pathlib.Path(checkpoint), folder)
        recorded = recorded_config(prefix)
        if recorded is not None:
            check_gate(recorded, model.config)
        children = _object_children(prefix)
        try:
            _reader_for(model.backbone, children).read(
                prefix
            ).assert_existing_objects_matched().expect_partial()
        except (AssertionError, ValueError) as error:
            detail = str(error).splitlines()[0]
            raise ValueError(
                f"{checkpoint} does not hold the weights of this backbone"
                f" ({model.config.backbone}): {detail}"
            ) from None


def _prefix(path, folder):
    if path.name.endswith((".tar.gz", ".tgz")):
        if not path.is_file():
            raise ValueError(f"There is no checkpoint archive {path}.")
        with tarfile.open(path) as archive:
            archive.extractall(folder, filter="data")
        path = pathlib.Path(folder)
    if path.is_dir():
        found = sorted(path.rglob("*.index"))
        if len(found) != 1:
            raise ValueError(
                f"Expected one checkpoint in {path}, found {len(found)}: name one by"
                " its prefix, the path without .index."
            )
        return str(found[0].with_suffix(""))
    if not path.with_name(path.name + ".index").is_file():
        raise ValueError(f"There is no checkpoint {path} (no {path.name}.index).")
    return str(path)


def _object_children(prefix):
    """Returns names of the checkpoint's root's and of its model's children."""
    graph = trackable_object_graph_pb2.TrackableObjectGraph()
    reader = tf.train.load_checkpoint(prefix)
    graph.ParseFromString(reader.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH"))
    root = {child.local_name: child.node_id for child in graph.nodes[0].children}
    if "model" not in root:
        return set(root), set()
    model = graph.nodes[root["model"]].children
    return set(root), {child.local_name for child in model}


def _reader_for(backbone, children):
    root, model = children
    if "backbone" in root:
        return tf.train.Checkpoint(backbone=backbone)
    for name in ("_backbone", "backbone"):
        if name in model:
            return tf.train.Checkpoint(model=tf.train.Checkpoint(**{name: backbone}))
    raise ValueError(f"it has neither a model nor a backbone, only {sorted(root)}.")
