"""Starting from a checkpoint's backbone."""

import logging
import pathlib
import tarfile
import tempfile

import tensorflow as tf
from tensorflow.core.protobuf import trackable_object_graph_pb2

from grw_tf.models.config_record import check_backbone, recorded_config


def restore_backbone(model, checkpoint):
    """Restores the backbone of a model: every variable of it, and all of the saved one.

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
            check_backbone(recorded, model.config)
        try:
            _restore(model.backbone, prefix)
        except (AssertionError, ValueError) as error:
            detail = str(error).splitlines()[0]
            raise ValueError(
                f"{checkpoint} does not hold the weights of this backbone"
                f" ({model.config.backbone}): {detail}"
            ) from None


def _restore(backbone, prefix):
    path, saved = _find_backbone(prefix)
    wanted = len(backbone.weights)
    if saved != wanted:
        raise ValueError(f"it has {saved} variables, the model's backbone {wanted}.")
    reader = backbone
    for name in reversed(path):
        reader = tf.train.Checkpoint(**{name: reader})
    reader.read(prefix).assert_existing_objects_matched().expect_partial()
    logging.info("%d of %d backbone variables restored.", saved, wanted)


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


def _find_backbone(prefix):
    """Returns the path to a checkpoint's backbone and how many variables it has."""
    graph = trackable_object_graph_pb2.TrackableObjectGraph()
    reader = tf.train.load_checkpoint(prefix)
    graph.ParseFromString(reader.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH"))

    def children(node):
        return {c.local_name: c.node_id for c in graph.nodes[node].children}

    for path in (("backbone",), ("model", "_backbone"), ("model", "backbone")):
        node = 0
        for name in path:
            node = children(node).get(name) if node is not None else None
        if node is not None:
            return path, _count_variables(graph, children, node)
    raise ValueError(
        f"it has neither a model nor a backbone, only {sorted(children(0))}."
    )


def _count_variables(graph, children, root):
    found, open_nodes, keys = {root}, [root], set()
    while open_nodes:
        node = open_nodes.pop()
        keys |= {a.checkpoint_key for a in graph.nodes[node].attributes}
        new = set(children(node).values()) - found
        found |= new
        open_nodes += new
    return len(keys)
