"""The variables in a checkpoint, by the names that a model has for them."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import trackable_object_graph_pb2

from grw_tf.models import ModelConfig
from grw_tf.models.config_record import RECORD

_ALIASES = {
    # The attribute of each part in a Model Garden model and in this project's, and the
    # layer in a Keras model that had neither attribute when it was saved.
    "backbone": ("backbone", "_backbone", "layer_with_weights-0"),
    "head": ("head", "layer_with_weights-1"),
    "affine": ("affine",),
}

# A child of a backbone's first layer: of a MoViNet's, and of the others' convolution.
_MOVINET, _OTHER = "_stem", "kernel"


class SavedVariables:
    """The variables of a `tf.train.Checkpoint`, found through its object graph.

    The graph's root may have a `model` (`Checkpoint(model=...)`, as the official
    checkpoints have), have a `backbone`, or be a model (`save_weights`).

    Attributes:
        prefix: The checkpoint's path, without `.index`.
        config: The saved model's config: the known or the recorded one, or None.
        others: Names of the root's other children.

    Raises:
        ValueError: If there is no readable checkpoint, or no backbone in it.
    """

    def __init__(self, prefix: str, config: ModelConfig | None = None):
        self.prefix = prefix
        self._reader, self._shapes, self._nodes = _open(prefix)
        root = self._children(0)
        model = root.get("model", 0)
        self._parts = self._find_parts(model)
        if not self._parts and model:
            model, self._parts = 0, self._find_parts(0)
        if not self._parts:
            raise ValueError(
                f"{prefix} has neither a model with a backbone nor a backbone,"
                f" only {', '.join(sorted(root)) or 'nothing'}."
            )
        self.others = sorted(root.keys() - {"model", *_ALIASES}) if model else []
        self.config = config or self._recorded_config(model)

    def _recorded_config(self, model):
        key = self._key_of(model, RECORD)
        if key is None:
            return None
        record = self._read(key)
        try:
            return ModelConfig.from_json(bytes(record).decode(), self.prefix)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{self.prefix} records no valid config: {error}"
            ) from None

    def _find_parts(self, node):
        children = self._children(node)
        parts = {
            part: next((children[a] for a in aliases if a in children), None)
            for part, aliases in _ALIASES.items()
        }
        if self._is_backbone(parts["backbone"]):
            return parts
        if self._is_backbone(node):
            return dict.fromkeys(_ALIASES) | {"backbone": node}
        return {}

    def _is_backbone(self, node):
        return node is not None and not {_MOVINET, _OTHER}.isdisjoint(
            self._first_layer(node)
        )

    def _first_layer(self, backbone):
        """Returns the children of a backbone's first layer with weights."""
        children = self._children(backbone)
        # A MobileNetV3 has its network inside.
        if "network" in children:
            children = self._children(children["network"])
        first = children.get("layer_with_weights-0")
        return {} if first is None else self._children(first)

    def _children(self, node):
        return {c.local_name: c.node_id for c in self._nodes[node].children}

    def is_movinet(self) -> bool:
        """Says whether the backbone begins as a MoViNet does."""
        return _MOVINET in self._first_layer(self._parts["backbone"])

    def layer_count(self) -> int:
        """Returns the number of layers with weights in the backbone."""
        names = self._children(self._parts["backbone"])
        return sum(name.startswith("layer_with_weights-") for name in names)

    def has(self, part: str) -> bool:
        """Says whether there is a part: "backbone", "head" or "affine"."""
        return self._parts[part] is not None

    def keys(self, names: Iterable[str]) -> dict[str, str | None]:
        """Returns each variable's key or None; names are in the network's order."""
        names = tuple(names)
        layers = _layer_indices(names)
        return {name: self._key(name, layers) for name in names}

    def _key(self, name, layers):
        part, *path = name.split("/")
        node = self._parts[part]
        is_backbone = part == "backbone" and node is not None
        if is_backbone and path[0] not in self._children(node):
            path[0] = f"layer_with_weights-{layers[path[0]]}"
        for step in path:
            if node is None:
                return None
            node = self._children(node).get(step)
        return self._key_of(node, "VARIABLE_VALUE") if node is not None else None

    def _key_of(self, node, name):
        attributes = self._nodes[node].attributes
        return next((a.checkpoint_key for a in attributes if a.name == name), None)

    def keys_below(self, part: str, names: Iterable[str]) -> dict[str, str]:
        """Returns a name for each variable of a part, by its key.

        Where they fit, layers are called as in the names of a model's variables.
        """
        layers = {
            f"layer_with_weights-{index}": name
            for name, index in _layer_indices(names).items()
        }
        start = self._parts[part]
        seen, found = {start}, {}
        queue: list[tuple[Any, tuple[str, ...]]] = [(start, (part,))]
        for node, path in queue:
            key = self._key_of(node, "VARIABLE_VALUE")
            if key:
                found[key] = "/".join(path)
            steps = self._children(node)
            # Layers have two names; one of them counts layers without weights too.
            for step in sorted(steps, key=lambda step: (step not in layers, step)):
                child = steps[step]
                if child not in seen:
                    seen.add(child)
                    name = layers.get(step, step) if len(path) == 1 else step
                    queue.append((child, (*path, name)))
        return found

    def shape(self, key: str) -> tuple[int, ...]:
        """Returns a saved variable's shape."""
        return tuple(self._shapes[key])

    def value(self, key: str) -> np.ndarray:
        """Returns a variable's value; a `ValueError` unless it has finite floats."""
        value = self._read(key)
        if not isinstance(value, np.ndarray | np.generic) or value.dtype.kind != "f":
            raise ValueError(f"{self.prefix} holds no floats in {key}.")
        if not np.isfinite(value).all():
            raise ValueError(
                f"{self.prefix} holds values that are not finite in {key}: its"
                " training diverged, or it is damaged."
            )
        return np.asarray(value)

    def _read(self, key):
        try:
            return self._reader.get_tensor(key)
        except (tf.errors.OpError, RuntimeError) as error:
            raise ValueError(
                f"{self.prefix} is damaged: {key} cannot be read"
                f" ({str(error).splitlines()[0]})."
            ) from None


def _open(prefix):
    graph = trackable_object_graph_pb2.TrackableObjectGraph()
    try:
        # tf.train.load_checkpoint reads a folder's checkpoint if the prefix is also a
        # folder.
        reader = tf.compat.v1.train.NewCheckpointReader(prefix)
        shapes = reader.get_variable_to_shape_map()
        graph.ParseFromString(reader.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH"))
    except Exception as error:  # TensorFlow's reader raises many types.
        raise ValueError(
            f"{prefix} is not a readable checkpoint of tf.train.Checkpoint:"
            f" {str(error).splitlines()[0]}"
        ) from None
    nodes = graph.nodes
    children = (child.node_id for node in nodes for child in node.children)
    keys = (entry.checkpoint_key for node in nodes for entry in node.attributes)
    if (
        not nodes
        or not all(0 <= child < len(nodes) for child in children)
        or not all(key in shapes for key in keys)
    ):
        raise ValueError(f"{prefix} is damaged: its object graph is not sound.")
    return reader, shapes, nodes


def _layer_indices(names):
    """Returns the position in the network of each backbone layer, by its name."""
    layers = (name.split("/")[1] for name in names if name.startswith("backbone/"))
    return {layer: index for index, layer in enumerate(dict.fromkeys(layers))}
