"""Identifies a checkpoint's model: by its recorded config, else by its variables."""

import dataclasses
import itertools

from grw_tf.models import BackboneConfig, HeadConfig, ModelConfig
from grw_tf.models.block_specs import endpoint_names, model_ids
from grw_tf.models.conventions import TENSORFLOW
from grw_tf.models.movinet_backbone import CONV_TYPES
from grw_tf.models.presets import official_config
from grw_tf.weights.checkpoint_match import match_checkpoint
from grw_tf.weights.model_variables import with_backbone
from grw_tf.weights.saved import Saved

# Types of squeeze excitation with different variables: "2d" has those of "3d".
_SE_TYPES = ("2plus3d", "3d", "none")

GATES_EXPLAINED = (
    "hard_sigmoid_keras in official and published stream weights, hard_sigmoid_relu6"
    " if trained with today's Model Garden, sigmoid in base models"
)


def identify(saved: Saved) -> ModelConfig:
    """Returns the config that a checkpoint records, else one inferred from variables.

    Only MoViNets can be inferred. What variables do not show is taken from the official
    model of the same size: stream for the (2+1)D convolution types, else base.

    Raises:
        ValueError: If no config is recorded and no known MoViNet has exactly these
            variables. The message is a predicate of the checkpoint, and names the
            nearest model and its differences.
    """
    if saved.config:
        return saved.config
    if not saved.is_movinet():
        raise ValueError(
            "is not a MoViNet and records no config, without which other models cannot"
            " be identified."
        )
    config = _nearest(saved, _backbones(saved), ("backbone",))
    if not saved.has("head"):
        return config
    return _nearest(saved, [_with_head(saved, config)], ("affine", "head"))


def describe(backbone: BackboneConfig) -> str:
    """Returns the properties of a backbone that its variables show, in a few words."""
    if not backbone.family.choices:
        own = backbone.implementation == TENSORFLOW
        return backbone.model_id + ("" if own else f" of {backbone.implementation}")
    positions = "with" if backbone.use_positional_encoding else "without"
    return (
        f"{backbone.model_id}, conv_type {backbone.conv_type}, se_type"
        f" {backbone.se_type}, {positions} positional encoding"
    )


def _nearest(saved, configs, parts):
    match, config = min(
        ((match_checkpoint(saved, c, parts, convert=False), c) for c in configs),
        key=lambda found: found[0].differences,
    )
    if match.differences:
        raise ValueError(
            f"is not a known model; its {parts[-1]} is closest to that of"
            f" {describe(config.backbone)}, which differs:\n{match.table()}"
        )
    return config


def _backbones(saved):
    depths = {name: len(endpoint_names(name)) for name in model_ids()}
    of_depth = [name for name, depth in depths.items() if depth == saved.layer_count()]
    if not of_depth:
        raise ValueError(
            f"is not a known model: its backbone has {saved.layer_count()} layers with"
            f" weights, {', '.join(f'{name} {n}' for name, n in depths.items())}."
        )
    for model_id, conv_type, se_type, positions in itertools.product(
        of_depth, CONV_TYPES, _SE_TYPES, (False, True)
    ):
        official = official_config(model_id, causal=conv_type != "3d" or positions)
        yield with_backbone(
            official,
            conv_type=conv_type,
            se_type=se_type,
            use_positional_encoding=positions,
        )


def _with_head(saved, config):
    def shape(*names):
        """Returns the shape of the first of the names that the checkpoint has."""
        found = (key for key in saved.keys(names).values() if key)
        return next((saved.shape(key) for key in found), (0,))

    classes = shape(
        "head/_classifier/bias",
        "head/_classifier/_conv/bias",
        "head/_classifier/_conv/_conv/bias",
    )[-1]
    head = HeadConfig()
    if saved.has("affine"):
        depths = (
            depth
            for depth in itertools.count()
            if shape(f"head/_blocks/{depth}/_mlp_norm/gamma") == (0,)
        )
        head = HeadConfig(type="mean", embed_dim=shape("affine/bias")[-1])
        if shape("head/_input_norm/gamma") != (0,):
            head = dataclasses.replace(
                head,
                type="transformer",
                depth=next(depths),
                mlp_dim=shape("head/_blocks/0/_mlp_hidden/bias")[-1] or 1,
            )
    return dataclasses.replace(config, head=head, num_classes=max(classes, 1))
