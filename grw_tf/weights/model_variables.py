"""The variables of a model by name and shape.

Names are paths of attributes: `backbone/...`, `affine/...` and `head/...`. If a family
of backbones lists its variables, the name of a layer follows `backbone/`; else
attributes do, or `layer_with_weights-<number>` for layers without one. Keras' own names
of variables have numbers that change from one build to the next.
"""

import dataclasses
import functools
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from grw_tf.models.backbone import (
    build_backbone,
    endpoint_channels,
    residual_blocks,
)
from grw_tf.models.config import BackboneConfig, HeadConfig, ModelConfig
from grw_tf.models.variable_shapes import VariableShapes

_NUMBERED = "layer_with_weights-"
# Any number will do that SlowFast's alpha divides.
_FRAMES = 64

CONVERTIBLE = ("2plus1d", "3d_2plus1d")
"""Convolution types whose variables are each other's, reshaped."""


def model_layout(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Returns the shapes of a model's variables by name, without smoothing's own."""
    shapes_of = config.backbone.family.variable_shapes or _built_shapes
    backbone, width, *_ = shapes_of(config.backbone)
    head = _head_layout(config.head, width, config.num_classes, config.backbone)
    return {**backbone, **head}


def layer_names(config: BackboneConfig) -> list[str]:
    """Returns names of the layers of a backbone that its family does not list.

    A layer's place in the list is its number in names of variables,
    `backbone/layer_with_weights-<number>`. Residual blocks have their own names.
    """
    return _built_shapes(config)[2]


@functools.cache
def _built_shapes(config):
    """Returns a backbone's shapes, the channels of its last features, and its layers.

    The layers are those with weights, by name.
    """
    built = build_backbone(
        ModelConfig(
            backbone=config,
            head=HeadConfig(type="transformer"),
            frames=_FRAMES,
            size=64,
        )
    )
    found, seen, queue = {}, set(), [("backbone", built)]
    for path, node in queue:
        for name, child in node._trackable_children().items():
            # Layers have two names, of which one counts those without weights.
            if id(child) in seen or name.startswith("layer-"):
                continue
            seen.add(id(child))
            if isinstance(child, tf.Variable):
                found[f"{path}/{name}"] = tuple(child.shape)
            elif isinstance(child, tf_keras.layers.Layer):
                queue.append((f"{path}/{name}", child))
    blocks = {id(block.layer): block.name for block in residual_blocks(built, config)}
    layers = [layer for layer in built.layers if layer.weights]
    names = [blocks.get(id(layer), layer.name) for layer in layers]
    return found, endpoint_channels(built)["head"], names


def _head_layout(config, width, num_classes, backbone):
    """Returns the shapes of a head's variables by name, the affine map's too."""
    if not config.embeds:
        return _official_head_layout(width, num_classes, backbone)
    embed_dim = config.embed_dim or width
    found = VariableShapes()
    found.dense("affine", width, embed_dim)
    if config.type != "mean":
        _add_transformer(found, config, embed_dim)
    found.dense("head/_classifier", embed_dim, num_classes)
    return dict(found)


def _add_transformer(found, config, embed_dim):
    found.layer_norm("head/_input_norm", embed_dim)
    for depth in range(config.depth):
        block = f"head/_blocks/{depth}"
        found.layer_norm(f"{block}/_attention_norm", embed_dim)
        for part in ("query", "key", "value", "output"):
            found.dense(f"{block}/_attention/_{part}_dense", embed_dim, embed_dim)
        found.layer_norm(f"{block}/_mlp_norm", embed_dim)
        found.dense(f"{block}/_mlp_hidden", embed_dim, config.mlp_dim)
        found.dense(f"{block}/_mlp_output", config.mlp_dim, embed_dim)
    found.layer_norm("head/_output_norm", embed_dim)


def _official_head_layout(width, num_classes, backbone):
    hidden = backbone.family.head_hidden_channels(backbone.model_id)
    found = VariableShapes(backbone.conv_type)
    if backbone.family.has_model_garden_head:
        found.pointwise_with_bias("head/_head", width, hidden)
        found.pointwise_with_bias("head/_classifier", hidden, num_classes)
        return dict(found)
    if hidden:
        found.dense("head/_hidden", width, hidden)
    found.dense("head/_classifier", hidden or width, num_classes)
    return dict(found)


def find_variable(model: tf_keras.Model, name: str) -> tf.Variable:
    """Returns the variable of a built model that a layout names.

    Raises:
        KeyError: If the model has none of that name.
    """
    return find_variables(model, [name])[name]


def find_variables(
    model: tf_keras.Model, names: Iterable[str]
) -> dict[str, tf.Variable]:
    """Returns the variables of a built model that a layout names, by name.

    Raises:
        KeyError: If the model lacks one of them.
    """
    # Asking all layers for their weights takes long.
    with_weights: dict[int, list] = {}
    return {name: _find(model, name, with_weights) for name in names}


def _find(model, name, with_weights):
    part, *path = name.split("/")
    found = getattr(model, part)
    if part == "backbone" and model.config.backbone.family.variable_shapes:
        found = found.get_layer(path.pop(0))
    for attribute in path:
        if attribute.isdigit():
            found = found[int(attribute)]
        elif attribute.startswith(_NUMBERED):
            if id(found) not in with_weights:
                layers = [layer for layer in found.layers if layer.weights]
                with_weights[id(found)] = layers
            number = int(attribute.removeprefix(_NUMBERED))
            found = with_weights[id(found)][number]
        else:
            found = getattr(found, attribute, None)
        if found is None:
            raise KeyError(f"{name}: nothing at {attribute!r}.")
    return found


def assign(model: tf_keras.Model, values: Mapping[str, np.ndarray]) -> None:
    """Sets variables of a built model to values by name."""
    for name, variable in find_variables(model, values).items():
        variable.assign(values[name])


def with_backbone(config: ModelConfig, **changes: Any) -> ModelConfig:
    """Returns the config with changed fields of its backbone."""
    backbone = dataclasses.replace(config.backbone, **changes)
    return dataclasses.replace(config, backbone=backbone)
