"""Writes checkpoints as state dicts for PyTorch."""

import dataclasses
import os

import numpy as np

from grw_tf.models import BackboneConfig, ModelConfig
from grw_tf.models.regularization import lasting_rms
from grw_tf.weights.checkpoint_match import match_checkpoint
from grw_tf.weights.identify import GATES_EXPLAINED, identify
from grw_tf.weights.model_variables import CONVERTIBLE, model_layout, with_backbone
from grw_tf.weights.opening import open_checkpoint
from grw_tf.weights.torch.names import (
    check_in_pytorch,
    counters,
    torch_config,
    torch_tensors,
)
from grw_tf.weights.torch.snapshot import CONFIG_RECORD
from grw_tf.weights.torch.writer import write_state_dict


def export_torch_weights(
    checkpoint: str | os.PathLike, path: str | os.PathLike, gating_activation: str = ""
) -> ModelConfig:
    """Writes a model's weights as a plain state dict, without needing PyTorch.

    With a transformer head, the state dict is that of `ActionRecognitionModel` in the
    published GRW code; with an official head, that of `MoViNet` in MoViNet-pytorch. The
    file also holds the config, in a record that PyTorch ignores, so that importing the
    file gives the same model.

    Args:
        checkpoint: As `init_checkpoint` of `grw_tf.weights.restore.restore`.
        path: The file to write. Its tensors are float32.
        gating_activation: The gating activation, if the checkpoint records none.

    Returns:
        The config of the written model.

    Raises:
        ValueError: If the checkpoint's model is unknown or incomplete, or if PyTorch's
            code has no network that computes the same.
        OSError: If the checkpoint cannot be read or the file cannot be written.
    """
    with open_checkpoint(checkpoint) as saved:
        config = saved.config or _assumed(saved, checkpoint, gating_activation)
        try:
            written = _as_in_pytorch(config)
        except ValueError as error:
            raise ValueError(f"{checkpoint}: {error}") from None
        found = match_checkpoint(
            saved, config, ("backbone", "affine", "head"), convert=False
        )
        if found.differences:
            raise ValueError(f"{checkpoint} is not a complete model:\n{found.table()}")
        names = zip(model_layout(config), model_layout(written).items(), strict=True)
        values = {
            name: saved.value(found.matched[saved_name]).reshape(shape).astype("f4")
            for saved_name, (name, shape) in names
        }
    state = {k: t.from_variables(values) for k, t in torch_tensors(written).items()}
    state |= {key: np.zeros((), np.int64) for key in counters(state)}
    write_state_dict(path, state, {CONFIG_RECORD: written.to_json()})
    return written


def _assumed(saved, checkpoint, gating_activation):
    """Returns the inferred config of a checkpoint that records none."""
    if not gating_activation:
        raise ValueError(
            f"{checkpoint} records no gating activation ({GATES_EXPLAINED}): set"
            " --gating_activation."
        )
    try:
        config = identify(saved)
    except ValueError as error:
        raise ValueError(f"{checkpoint} {error}") from None
    return with_backbone(config, gating_activation=gating_activation)


def _as_in_pytorch(config):
    """Returns the config with PyTorch's convolution type, if its code has the model."""
    check_in_pytorch(config)
    if config.backbone.conv_type in CONVERTIBLE:
        config = with_backbone(config, conv_type="2plus1d")
    there = torch_config(config.backbone.model_id, config.backbone.causal, False)
    for field in dataclasses.fields(BackboneConfig):
        mine = getattr(config.backbone, field.name)
        theirs = getattr(there.backbone, field.name)
        if mine != theirs and field.name != "stochastic_depth_drop_rate":
            raise ValueError(
                f"it has backbone.{field.name}={mine}, PyTorch's code has {theirs}."
            )
    if lasting_rms(config):
        distribution = config.regularization.rms.distribution
        raise ValueError(
            f"it has regularization.rms.distribution={distribution}, whose mean is not"
            " 1: RMS acts at inference too, which PyTorch's code does not support."
        )
    head = config.head
    if not head.embeds and head.activation != "swish":
        raise ValueError(
            f"it has head.activation={head.activation}, PyTorch's code has swish."
        )
    return config
