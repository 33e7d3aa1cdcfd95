"""Makes checkpoints from PyTorch weights."""

import dataclasses
import functools
import itertools
import os
import pathlib
import re

import numpy as np
import tensorflow as tf

from grw_tf.models import HeadConfig, ModelConfig, build_model
from grw_tf.models.block_specs import model_ids
from grw_tf.weights.checkpoint_match import match_shapes
from grw_tf.weights.identify import describe
from grw_tf.weights.model_variables import assign
from grw_tf.weights.torch.names import (
    PUBLISHED_BACKBONE,
    check_in_pytorch,
    counters,
    model_name,
    torch_config,
    torch_tensors,
)
from grw_tf.weights.torch.resnet_names import (
    candidates,
    find_spelling,
    resnet_tensors,
)
from grw_tf.weights.torch.snapshot import TorchSnapshot, read_snapshot

CONFIG_FILE = "model_config.json"
"""The config beside an imported checkpoint, for people to read."""


@dataclasses.dataclass(frozen=True)
class Imported:
    """PyTorch weights as variables of a model here.

    Attributes:
        config: The model's config.
        values: Arrays by the variables' names in `grw_tf.weights.model_variables`.
        source: Which of the file's weights they are, in words.
        tensors: The number of tensors that were used.
        left_out: Keys of the unused tensors, which are batch norm's counters.
    """

    config: ModelConfig
    values: dict[str, np.ndarray]
    source: str
    tensors: int
    left_out: tuple[str, ...]

    def text(self) -> str:
        """Returns a description of what was imported."""
        head = self.config.head
        sizes = ("embed_dim", "depth", "num_heads", "mlp_dim")
        listed = ", ".join(f"{name} {getattr(head, name)}" for name in sizes)
        kind = f"{head.type} head" + (f" ({listed})" if head.embed_dim else "")
        steps = "without counters of batch norm's steps, which are not needed"
        if self.left_out:
            steps = f"{len(self.left_out)} counters of batch norm's steps left out"
        return (
            f"{_title(self.config)}, {kind}, {self.config.num_classes} classes;"
            f" {self.source}: {self.tensors} tensors used once each, {steps}."
        )


def read_torch_weights(
    path: str | os.PathLike, weights: str = "ema", num_heads: int = 0
) -> Imported:
    """Reads the PyTorch weights of a network and infers which network it is.

    Args:
        path: The file of a published GRW model (a0s, a1s, a2s, a3b), or a state dict of
            such a model, of MoViNet-pytorch's networks, or of a 3-D ResNet of
            PyTorchVideo, SlowFast or MMAction2, with its classifier, alone or in a
            training's checkpoint.
        weights: "ema" or "model": which weights to take if the file has both.
        num_heads: The number of attention heads, if the file does not say.

    Raises:
        ValueError: See `read_snapshot`; also if the tensors are not exactly those of a
            known model, or not those of the model that the file names.
        OSError: If it cannot be read.
    """
    snapshot = read_snapshot(path, weights)
    try:
        return _identified(snapshot, num_heads)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def import_torch_weights(
    path: str | os.PathLike,
    output_dir: str | os.PathLike,
    weights: str = "ema",
    num_heads: int = 0,
) -> Imported:
    """Writes a checkpoint of `read_torch_weights`, and its config beside it.

    Raises:
        ValueError: See `read_torch_weights`; also if the folder has a checkpoint.
        OSError: If the file cannot be read or the checkpoint cannot be written.
    """
    folder = pathlib.Path(output_dir)
    if (folder / "checkpoint").exists():
        raise ValueError(f"{folder} has a checkpoint already: name another folder.")
    imported = read_torch_weights(path, weights, num_heads)
    model = build_model(imported.config)
    assign(model, imported.values)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG_FILE).write_text(imported.config.to_json() + "\n")
    # The Model Garden's init_checkpoint_modules needs the backbone as an item.
    tf.train.Checkpoint(model=model, **model.checkpoint_items).save(folder / "ckpt")
    return imported


def _identified(snapshot, num_heads):
    found = {key: tensor.shape for key, tensor in snapshot.tensors.items()}
    spelling = None if snapshot.config else find_spelling(found)
    if spelling:
        configs, kind = candidates(spelling, found), "3-D ResNet"
        tensors_of = functools.partial(resnet_tensors, spelling=spelling)
    else:
        configs, kind = _candidates(snapshot, found), "MoViNet"
        tensors_of = torch_tensors
    match, config = min(
        ((_match(found, tensors_of(c)), c) for c in configs),
        key=lambda pair: pair[0].differences,
    )
    if match.differences:
        raise ValueError(
            f"it holds no known {kind}; nearest is {_title(config)}: {match.line()}."
        )
    if not spelling:
        config = _with_heads(_agreeing(config, snapshot), snapshot, num_heads)
    tensors = tensors_of(config)
    values = {}
    for key, tensor in tensors.items():
        values |= tensor.to_variables(snapshot.tensors[key])
    left_out = tuple(key for key in found if key not in tensors)
    return Imported(config, values, snapshot.source, len(tensors), left_out)


def _candidates(snapshot: TorchSnapshot, found):
    if snapshot.config:
        check_in_pytorch(snapshot.config)
        return [snapshot.config]
    published = any(key.startswith(PUBLISHED_BACKBONE) for key in found)
    sizes = {"num_classes": _classes(found)}
    if published:
        sizes["head"] = _published_head(found)
    return [
        dataclasses.replace(torch_config(model_id, causal, published), **sizes)
        for model_id in model_ids()
        for causal in (True, False)
    ]


def _first(found, *keys):
    shapes = [found[key] for key in keys if found.get(key)]
    return shapes[0][0] if shapes else 1


def _classes(found):
    return _first(
        found,
        "attention.linear_head.bias",
        "classifier.3.conv_1.conv2d.bias",
        "classifier.3.conv_1.conv3d.bias",
    )


def _published_head(found):
    block = "attention.transformer.layers.{}.2.net.1.bias"
    return HeadConfig(
        type="transformer",
        embed_dim=_first(found, "ln.weight"),
        depth=next(d for d in itertools.count() if block.format(d) not in found),
        mlp_dim=_first(found, block.format(0)),
    )


def _title(config):
    backbone = config.backbone
    return model_name(config) if backbone.family.choices else describe(backbone)


def _match(found, tensors):
    wanted = {key: tensor.shape for key, tensor in tensors.items()}
    # Counters are unused, and some files have none.
    wanted |= {key: found[key] for key in counters(wanted) if key in found}
    match = match_shapes(found, wanted)
    # The model's keys are known, but a file's may have any characters.
    return dataclasses.replace(match, unused=[f"{key!r:.120}" for key in match.unused])


def _agreeing(config, snapshot):
    """Returns the config with the file's window, if the rest of the file agrees."""
    named = re.search(r"\.(a\d[sb])\.", snapshot.backbone or "")
    if named and named.group(1) != model_name(config):
        raise ValueError(
            f"it says its backbone is {snapshot.backbone}, but its tensors are those"
            f" of {model_name(config)}."
        )
    for name, said in (snapshot.head or {}).items():
        holder = config if name == "num_classes" else config.head
        if name != "num_heads" and said != getattr(holder, name):
            raise ValueError(
                f"it says {name} is {said}, but its tensors have"
                f" {getattr(holder, name)}."
            )
    if snapshot.window is None:
        return config
    smoothing = dataclasses.replace(config.smoothing, window=snapshot.window)
    return dataclasses.replace(config, smoothing=smoothing)


def _with_heads(config, snapshot, num_heads):
    if not config.head.embeds:
        return config
    said = config.head.num_heads if snapshot.config else None
    if snapshot.head:
        said = snapshot.head["num_heads"]
    if said and num_heads and said != num_heads:
        raise ValueError(f"it says num_heads is {said}, not {num_heads}.")
    num_heads = num_heads or said
    if not num_heads:
        raise ValueError(
            "it does not say how many attention heads its model has: set --num_heads."
        )
    head = dataclasses.replace(config.head, num_heads=num_heads)
    if head.embed_dim % num_heads:
        raise ValueError(
            f"num_heads={num_heads} does not divide embed_dim={head.embed_dim}."
        )
    return dataclasses.replace(config, head=head)
