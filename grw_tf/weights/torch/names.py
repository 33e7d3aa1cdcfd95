"""Names and shapes of a model's weights in PyTorch state dicts.

With a transformer head, they are those of the published GRW code
(github.com/cmusatyalab/grw-smoothing); with the official head, those of MoViNet-pytorch
(github.com/Atze00/MoViNet-pytorch), on which it builds.
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from official.projects.movinet.modeling import movinet

from grw_tf.models import ModelConfig
from grw_tf.models.block_specs import model_ids
from grw_tf.models.presets import official_config, published_config
from grw_tf.weights.model_variables import model_layout, with_backbone

PUBLISHED_BACKBONE = "video_backbone._encoder."
"""The prefix of the backbone's keys in published GRW models."""

_HEADS = ("official", "transformer")

COUNTER = "num_batches_tracked"
"""PyTorch's count of a batch norm's training steps, which has no use after training."""

# PyTorch's axes in TensorFlow's order, by the rank of Dense, Conv2D, Conv3D kernels.
_KERNEL_AXES = {2: (1, 0), 4: (2, 3, 1, 0), 5: (2, 3, 4, 1, 0)}
_DEPTHWISE_AXES = (2, 3, 0, 1)

BATCH_NORM = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
"""PyTorch's names of a batch normalization's variables."""

_BLOCK_PARTS = {
    "_expansion": "expand",
    "_feature": "deep",
    "_projection": "project",
    "_attention/_se_reduce": "se.fc1",
    "_attention/_se_expand": "se.fc2",
}
_TRANSFORMER_PARTS = {
    "_attention_norm": "0",
    "_attention/_output_dense": "1.out_proj",
    "_mlp_norm": "2.net.0",
    "_mlp_hidden": "2.net.1",
    "_mlp_output": "2.net.3",
}
_HEAD_PARTS = {
    "_input_norm": "ln",
    "_output_norm": "attention.transformer.norm",
    "_classifier": "attention.linear_head",
}


@dataclasses.dataclass(frozen=True)
class TorchTensor:
    """A tensor of a state dict, which is one variable or several here.

    Attributes:
        names: Names of the variables, which are stacked along the tensor's first axis.
        axes: The tensor's axes in TensorFlow's order; None if the order is the same.
        shape: The tensor's shape.
        rolled: How many of the tensor's inputs, its second axis, precede those that are
            first in TensorFlow's order.
    """

    names: tuple[str, ...]
    axes: tuple[int, ...] | None
    shape: tuple[int, ...]
    rolled: int = 0

    def to_variables(self, value: np.ndarray) -> dict[str, np.ndarray]:
        """Returns the variables' values by name, from the tensor's value."""
        if self.rolled:
            value = np.roll(value, -self.rolled, axis=1)
        parts = np.split(value, len(self.names)) if len(self.names) > 1 else [value]
        return {
            name: part if self.axes is None else part.transpose(self.axes)
            for name, part in zip(self.names, parts, strict=True)
        }

    def from_variables(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """Returns the tensor's value, from the variables' values by name."""
        parts = [values[name] for name in self.names]
        if self.axes is not None:
            parts = [part.transpose(np.argsort(self.axes)) for part in parts]
        value = np.concatenate(parts) if len(parts) > 1 else parts[0]
        return np.roll(value, self.rolled, axis=1) if self.rolled else value


def check_in_pytorch(config: ModelConfig) -> None:
    """Raises a ValueError if PyTorch's code lacks the model's backbone or head."""
    if config.backbone.model_id not in model_ids():
        raise ValueError(
            f"its backbone is {config.backbone.model_id}, and PyTorch's code has only"
            f" MoViNets: {', '.join(model_ids())}."
        )
    if config.head.type not in _HEADS:
        raise ValueError(
            f"it has a {config.head.type} head, and PyTorch's code has only"
            f" {' and '.join(_HEADS)} heads."
        )


def model_name(config: ModelConfig) -> str:
    """Returns the published code's name of a network: "a0s" stream, "a3b" base."""
    return f"{config.backbone.model_id}{'s' if config.backbone.causal else 'b'}"


def torch_config(model_id: str, causal: bool, published: bool) -> ModelConfig:
    """Returns the config of a published GRW model, or of one of MoViNet-pytorch."""
    config = (published_config if published else official_config)(model_id, causal)
    return with_backbone(config, use_positional_encoding=False)


def torch_tensors(config: ModelConfig) -> dict[str, TorchTensor]:
    """Returns the tensors of a model's state dict by key, without the counters.

    The model's conv_type is "2plus1d" or "3d".

    Raises:
        ValueError: If PyTorch's code lacks a part of it, such as positional encoding.
    """
    layout = model_layout(config)
    key_of = _Keys(config)
    variables: dict[str, list] = {}
    for name, shape in layout.items():
        variables.setdefault(key_of(name), []).append((name, shape))
    return {key: torch_tensor(stacked) for key, stacked in variables.items()}


def counters(keys: Iterable[str]) -> list[str]:
    """Returns the keys of the counters of a state dict's batch norms."""
    variance = "running_var"
    return [key.removesuffix(variance) + COUNTER for key in keys if variance in key]


def torch_tensor(stacked: Sequence[tuple[str, tuple[int, ...]]]) -> TorchTensor:
    """Returns the tensor of variables with these names and shapes."""
    names = tuple(name for name, _ in stacked)
    shape, attribute = stacked[0][1], names[0].rpartition("/")[2]
    axes: tuple[int, ...] | None = None
    if attribute == "depthwise_kernel":
        axes = _DEPTHWISE_AXES
    elif attribute == "kernel":
        axes = _KERNEL_AXES[len(shape)]
    if axes is not None:
        shape = tuple(shape[axis] for axis in np.argsort(axes))
    if len(names) > 1:
        shape = (len(names) * shape[0], *shape[1:])
    return TorchTensor(names, axes, shape)


class _Keys:
    """Finds the key of a variable by its name."""

    def __init__(self, config):
        self._official = not config.head.embeds
        self._prefix = "" if self._official else PUBLISHED_BACKBONE
        self._convolution = (
            "conv2d" if config.backbone.conv_type == "2plus1d" else "conv3d"
        )
        self._strided = {
            f"block{i}_layer{j}"
            for i, block in enumerate(
                movinet.BLOCK_SPECS[config.backbone.model_id][1:-1]
            )
            for j, strides in enumerate(block.strides)
            if any(stride > 1 for stride in strides)
        }

    def __call__(self, name):
        part, rest = name.split("/", 1)
        if part == "backbone":
            return self._prefix + self._backbone(*rest.split("/", 1))
        if part == "affine":
            return f"{self._prefix}classifier.{_dense(rest)}"
        if self._official:
            layer, rest = rest.split("/", 1)
            index = {"_head": 0, "_classifier": 3}[layer]
            return f"classifier.{index}.{self._inner(rest)}"
        return self._transformer(rest)

    def _backbone(self, layer, path):
        if layer == "stem":
            return "conv1." + self._inner(path.removeprefix("_stem/"))
        if layer == "head":
            return "conv7." + self._inner(path.removeprefix("_project/"))
        block = re.sub(r"block(\d+)_layer(\d+)", r"blocks.b\1_l\2", layer)
        if path == "_mobile_bottleneck/_rezero/_scale":
            return f"{block}.alpha"
        # A strided skip begins with pooling, which is a module but has no weights.
        skip = {"_skip/_projection": f"res.{int(layer in self._strided)}"}
        for part, module in (_BLOCK_PARTS | skip).items():
            if path.startswith(f"{part}/"):
                return f"{block}.{module}.{self._inner(path.removeprefix(f'{part}/'))}"
        raise ValueError(f"PyTorch's MoViNets have nothing like {layer}/{path}.")

    def _inner(self, path):
        """Returns the rest of a key within a convolution with batch norm."""
        kind, *_, attribute = path.split("/")
        index = 2 if kind.endswith("_temporal") else 1
        if kind.startswith("_batch_norm"):
            return f"conv_{index}.norm.{BATCH_NORM[attribute]}"
        return f"conv_{index}.{self._convolution}.{_dense(attribute)}"

    def _transformer(self, name):
        layer, attribute = name.rsplit("/", 1)
        if layer in _HEAD_PARTS:
            return f"{_HEAD_PARTS[layer]}.{_dense(attribute)}"
        _, depth, part = layer.split("/", 2)
        block = f"attention.transformer.layers.{depth}"
        if part in _TRANSFORMER_PARTS:
            return f"{block}.{_TRANSFORMER_PARTS[part]}.{_dense(attribute)}"
        # The dense layers of query, key and value are one tensor, in this order.
        return f"{block}.1.in_proj_{_dense(attribute)}"


def _dense(attribute):
    return "bias" if attribute in ("bias", "beta") else "weight"
