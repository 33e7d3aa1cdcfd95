"""The variables of a model in a checkpoint, by the names of a layout."""

import contextlib

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import trackable_object_graph_pb2

from grw_tf.models import ModelConfig
from grw_tf.models.config_record import RECORD
from grw_tf.weights.locate import located

_ALIASES = {
    # What holds each part in a Model Garden model, in this project's, and in a
    # Keras model that had neither attribute when it was saved.
    "backbone": ("backbone", "_backbone", "layer_with_weights-0"),
    "head": ("head", "layer_with_weights-1"),
    "affine": ("affine",),
}


class SavedVariables:
    """Variables of a `tf.train.Checkpoint`, found through its object graph.

    Its root may have a `model` (`Checkpoint(model=...)`, as the official ones), a
    `backbone`, or be a model (`save_weights`).

    Args:
      prefix: the checkpoint's path, without `.index`.
      config: of the saved model, if that is known.

    Attributes:
      config: of the saved model: the known one, or what the checkpoint records, or
        None.
      others: names of what else is at the root.

    Raises:
      ValueError: if there is no readable checkpoint, or nothing that may be a backbone
        in it.
    """

    def __init__(self, prefix, config=None):
        self._prefix = prefix
        self._reader, self._nodes = _open(prefix)
        self._shapes = self._reader.get_variable_to_shape_map()
        root = self._children(0)
        self._parts = self._find_parts(root.get("model"), 0)
        if not self._parts:
            raise ValueError(
                f"{prefix} has neither a model nor a backbone, only"
                f" {', '.join(sorted(root)) or 'nothing'}."
            )
        self.others = sorted(root.keys() - {"model", *_ALIASES})
        self.config = config or self._recorded_config()

    def _recorded_config(self):
        ending = f".ATTRIBUTES/{RECORD}"
        keys = [key for key in self._shapes if key.endswith(ending)]
        if not keys:
            return None
        try:
            return ModelConfig.from_json(self._read(keys[0]).decode())
        except ValueError as error:
            raise ValueError(
                f"{self._prefix} records no valid config: {error}"
            ) from None

    def _find_parts(self, *candidates):
        for node in candidates:
            children = self._children(node) if node is not None else {}
            parts = {
                part: next((children[a] for a in aliases if a in children), None)
                for part, aliases in _ALIASES.items()
            }
            if parts["backbone"] is not None:
                return parts
        return {}

    def _children(self, node):
        return {c.local_name: c.node_id for c in self._nodes[node].children}

    def layer_count(self):
        """Returns the number of layers with weights in the backbone."""
        names = self._children(self._parts["backbone"])
        return sum(name.startswith("layer_with_weights-") for name in names)

    def has(self, part):
        """Says whether there is a "backbone", "head" or "affine"."""
        return self._parts[part] is not None

    def keys(self, layout) -> dict[str, str | None]:
        """Returns the checkpoint's key of each name of a layout, None where missing."""
        layers = _layer_indices(layout)
        return {name: self._key(name, layers) for name in layout}

    def _key(self, name, layers):
        part, *path = name.split("/")
        if part == "backbone":
            path[0] = f"layer_with_weights-{layers[path[0]]}"
        node = self._parts[part]
        for step in path:
            if node is None:
                return None
            node = self._children(node).get(step)
        return self._value_key(node) if node is not None else None

    def _value_key(self, node):
        for attribute in self._nodes[node].attributes:
            if attribute.name == "VARIABLE_VALUE":
                return attribute.checkpoint_key
        return None

    def keys_below(self, part, layout) -> dict[str, str]:
        """Returns a name for each variable of a part, by its key.

        Args:
          part: "backbone", "head" or "affine".
          layout: whose layers' names are used where they fit.
        """
        layers = {
            f"layer_with_weights-{index}": name
            for name, index in _layer_indices(layout).items()
        }
        start = self._parts[part]
        seen, queue, found = {start}, [(start, (part,))], {}
        for node, path in queue:
            key = self._value_key(node)
            if key:
                found[key] = "/".join(path)
            steps = self._children(node)
            # Layers have two names, of which one counts those without weights.
            for step in sorted(steps, key=lambda step: (step not in layers, step)):
                child = steps[step]
                if child not in seen:
                    seen.add(child)
                    queue.append((child, (*path, layers.get(step, step))))
        return found

    def shape(self, key) -> tuple[int, ...]:
        """Returns a saved variable's shape."""
        return tuple(self._shapes[key])

    def value(self, key) -> np.ndarray:
        """Returns a saved variable's value.

        Raises:
          ValueError: if it cannot be read or is not finite.
        """
        value = self._read(key)
        if not np.isfinite(value).all():
            raise ValueError(
                f"{self._prefix} holds values that are not finite in {key}: its"
                " training diverged, or it is damaged."
            )
        return value

    def _read(self, key):
        try:
            return self._reader.get_tensor(key)
        except (tf.errors.OpError, RuntimeError) as error:
            raise ValueError(
                f"{self._prefix} is damaged: {key} cannot be read"
                f" ({str(error).splitlines()[0]})."
            ) from None


@contextlib.contextmanager
def open_checkpoint(init_checkpoint):
    """Yields the `SavedVariables` of what a user gives as checkpoint.

    Args:
      init_checkpoint: see `grw_tf.weights.locate.located`.

    Raises:
      ValueError, OSError: as `located` and `SavedVariables`.
    """
    with located(init_checkpoint) as place:
        yield SavedVariables(place.prefix, place.config)


def _open(prefix):
    try:
        reader = tf.train.load_checkpoint(prefix)
        graph = trackable_object_graph_pb2.TrackableObjectGraph()
        graph.ParseFromString(reader.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH"))
    except Exception as error:  # TensorFlow's reader raises of many kinds.
        raise ValueError(
            f"{prefix} is no readable checkpoint of tf.train.Checkpoint:"
            f" {str(error).splitlines()[0]}"
        ) from None
    return reader, graph.nodes


def _layer_indices(layout):
    """Numbers a layout's backbone layers in the network's order."""
    layers = (name.split("/")[1] for name in layout if name.startswith("backbone/"))
    return {layer: index for index, layer in enumerate(dict.fromkeys(layers))}
