"""Names of the weights of 3-D ResNets in published PyTorch state dicts.

There are three spellings: PyTorchVideo's, that of SlowFast's own code, and MMAction2's.
"""

import dataclasses
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from grw_tf.layers.residual_blocks_3d import BottleneckBlock3D
from grw_tf.models import (
    ModelConfig,
    csn_backbone,
    slowfast_backbone,
    slowonly_backbone,
)
from grw_tf.models.conventions import MMACTION2, PYTORCHVIDEO
from grw_tf.models.presets import resnet_config
from grw_tf.models.residual_block_3d import STAGES
from grw_tf.models.slowfast_backbone import FAST, SLOW
from grw_tf.weights.model_variables import layer_names, model_layout, with_backbone
from grw_tf.weights.torch.names import BATCH_NORM, TorchTensor, torch_tensor

_PATHS = (SLOW, FAST)
_SLOWFAST, _SLOWONLY, _CSN = "slowfast", "slowonly", "csn"
_LATERALS = ("pool1", *STAGES[:-1])
_CLASSIFIER = "head/_classifier/"
# A depthwise convolution in MMAction2's spelling, alone or after an interaction.
_DEPTHWISE = r"backbone\.layer1\.0\.conv2\.[01]\."

# Which convolution of its block a layer is: the first, second or third, a CSN's
# interaction before the second, or the shortcut's.
_CONVOLUTIONS = {
    **{"_temporal_conv": "1", "_spatial_conv": "2", "_expand_conv": "3"},
    **{"_reduction": "1", "_interaction": "interaction", "_depthwise": "2"},
    **{"_expansion": "3", "_shortcut": "shortcut", "_shortcut_conv": "shortcut"},
}
_NORMS = {
    **{"_norm1": "1", "_norm2": "2", "_norm3": "3", "_norm0": "shortcut"},
    **{f"{name}_norm": part for name, part in _CONVOLUTIONS.items()},
}


@dataclasses.dataclass(frozen=True)
class _Place:
    """Where a convolution or a batch normalization is in a network.

    Attributes:
        family: The name of the network's family.
        kind: "stem", "lateral", "block" or "classifier".
        is_norm: Whether it is a batch normalization.
        path: The number of SlowFast's pathway; the slow one is 0.
        stage: The number of the stage, from 0, that it is in, or a lateral connection
            leads to.
        block: The number of the block in its stage.
        part: Which convolution of its block it is, or comes after.
        has_interaction: Whether the network is an ip-CSN.
    """

    family: str
    kind: str
    is_norm: bool = False
    path: int = 0
    stage: int = 0
    block: int = 0
    part: str = ""
    has_interaction: bool = False


@dataclasses.dataclass(frozen=True)
class Spelling:
    """How an implementation names the weights of its networks.

    Attributes:
        implementation: Whose conventions the weights need.
        stem: The key of the first kernel of a network of one pathway.
        slow_stem: The key of the slow pathway's first kernel in a SlowFast.
        lateral: The key of the first lateral connection's kernel.
        key: Function from a place to the beginning of the keys of its tensors.
        has_fast_first: Whether the classifier sees SlowFast's fast pathway first.
    """

    implementation: str
    stem: str
    slow_stem: str
    lateral: str
    key: Callable[[_Place], str]
    has_fast_first: bool = False


def _pytorchvideo(place):
    paths = place.family == _SLOWFAST
    if place.kind == "classifier":
        # SlowFast has a block that joins the pathways before it.
        return f"blocks.{6 if paths else 5}.proj"
    kind = "norm" if place.is_norm else "conv"
    if place.kind == "lateral":
        part = "norm" if place.is_norm else "conv_fast_to_slow"
        return f"blocks.{place.stage}.multipathway_fusion.{part}"
    path = f"multipathway_blocks.{place.path}." if paths else ""
    if place.kind == "stem":
        return f"blocks.0.{path}{kind}"
    block = f"blocks.{place.stage + 1}.{path}res_blocks.{place.block}"
    if place.part == "shortcut":
        return f"{block}.branch1_{kind}"
    return f"{block}.branch2.{kind}_{'abc'[int(place.part) - 1]}"


def _slowfast(place):
    if place.kind == "classifier":
        return "head.projection"
    if place.kind == "lateral":
        return f"s{place.stage + 1}_fuse.{'bn' if place.is_norm else 'conv_f2s'}"
    if place.kind == "stem":
        return f"s1.pathway{place.path}_stem.{'bn' if place.is_norm else 'conv'}"
    block = f"s{place.stage + 2}.pathway{place.path}_res{place.block}"
    suffix = "_bn" if place.is_norm else ""
    if place.part == "shortcut":
        return f"{block}.branch1{suffix}"
    return f"{block}.branch2.{'abc'[int(place.part) - 1]}{suffix}"


def _mmaction2(place):
    if place.kind == "classifier":
        return "cls_head.fc_cls"
    network, kind = "backbone", "bn" if place.is_norm else "conv"
    if place.family == _SLOWFAST:
        network += f".{_PATHS[place.path]}_path"
    if place.kind == "stem":
        return f"{network}.conv1.{kind}"
    if place.kind == "lateral":
        before = f"layer{place.stage}" if place.stage else "conv1"
        return f"{network}.{before}_lateral.{kind}"
    part = f"conv{place.part}"
    if place.part == "shortcut":
        part = "downsample"
    elif place.part == "interaction":
        part = "conv2.0"
    elif place.family == _CSN and place.part == "2":
        part += f".{int(place.has_interaction)}"
    return f"{network}.layer{place.stage + 1}.{place.block}.{part}.{kind}"


SPELLINGS = (
    Spelling(
        PYTORCHVIDEO,
        "blocks.0.conv.weight",
        "blocks.0.multipathway_blocks.0.conv.weight",
        "blocks.0.multipathway_fusion.conv_fast_to_slow.weight",
        _pytorchvideo,
    ),
    Spelling(
        PYTORCHVIDEO,
        "s1.pathway0_stem.conv.weight",
        "s1.pathway0_stem.conv.weight",
        "s1_fuse.conv_f2s.weight",
        _slowfast,
    ),
    Spelling(
        MMACTION2,
        "backbone.conv1.conv.weight",
        "backbone.slow_path.conv1.conv.weight",
        "backbone.slow_path.conv1_lateral.conv.weight",
        _mmaction2,
        has_fast_first=True,
    ),
)
"""PyTorchVideo's spelling, SlowFast's and MMAction2's."""

STEMS = frozenset(
    key for spelling in SPELLINGS for key in (spelling.stem, spelling.slow_stem)
)
"""Keys of first kernels; a state dict in one of the spellings has one of them."""


def find_spelling(keys: Collection[str]) -> Spelling | None:
    """Returns the spelling of a state dict's keys, None if it is another network's."""
    for spelling in SPELLINGS:
        if spelling.stem in keys or spelling.slow_stem in keys:
            return spelling
    return None


def candidates(spelling: Spelling, shapes: Mapping[str, tuple]) -> list[ModelConfig]:
    """Returns configs of the networks that a state dict may hold, with their own clips.

    Args:
        spelling: How the state dict's weights are named.
        shapes: Shapes of its tensors by key.
    """
    # Building a network takes seconds: those that differ at first sight are left out.
    sight: dict[str, tuple]
    seen: Any = None
    if spelling.lateral in shapes:
        family, frames = _SLOWFAST, 32
        sight = {
            name: (spec.slow.channels[:1], (spec.lateral_kernel,))
            for name, spec in slowfast_backbone.SPECS.items()
        }
        seen = shapes[spelling.lateral][2:3]
    elif any(re.match(_DEPTHWISE, key) for key in shapes):
        family, frames = _CSN, 32
        sight = {
            name: (spec.channels[:1], spec.preserves_interaction)
            for name, spec in csn_backbone.SPECS.items()
        }
        seen = any(".conv2.1." in key for key in shapes)
    else:
        family, frames = _SLOWONLY, 8
        sight = {
            name: (channels[:1], None)
            for name, (block, channels, _) in slowonly_backbone.NETWORKS.items()
            if block is BottleneckBlock3D
        }
    first = f"{spelling.key(_Place(family, 'block', part='1'))}.weight"
    found = shapes.get(first, ())[:1], seen
    bias = f"{spelling.key(_Place(family, 'classifier'))}.bias"
    classes = (shapes.get(bias) or (1,))[0]
    return [
        with_backbone(
            dataclasses.replace(resnet_config(name, frames), num_classes=classes),
            implementation=spelling.implementation,
        )
        for name in _nearest(sight, found)
    ]


def _nearest(sight, found):
    for equal in range(len(found), 0, -1):
        names = [name for name in sight if sight[name][:equal] == found[:equal]]
        if names:
            return names
    return list(sight)


def resnet_tensors(config: ModelConfig, spelling: Spelling) -> dict[str, TorchTensor]:
    """Returns the tensors of a 3-D ResNet's state dict by key, without the counters.

    Args:
        config: The config of a 3-D ResNet of bottlenecks with its official head.
        spelling: How its weights are named.
    """
    layout = model_layout(config)
    place_of = _Places(config, layout)
    fast = _fast_features(layout, place_of) if spelling.has_fast_first else 0
    tensors = {}
    for name, shape in layout.items():
        place, attribute = place_of(name), name.rpartition("/")[2]
        tensor = torch_tensor([(name, shape)])
        if attribute == "kernel":
            attribute = "weight"
            if place.kind == "classifier":
                tensor = dataclasses.replace(tensor, rolled=fast)
        key = spelling.key(place)
        tensors[f"{key}.{BATCH_NORM.get(attribute, attribute)}"] = tensor
    return tensors


def _fast_features(layout, place_of):
    """Returns how many features SlowFast's fast pathway has; 0 for other networks."""
    for name, shape in layout.items():
        place = place_of(name)
        if place.path and place.stage == len(STAGES) - 1 and place.part == "shortcut":
            return shape[-1]
    return 0


class _Places:
    """Finds the place of a variable by its name."""

    def __init__(self, config, layout):
        self._family = config.backbone.family.name
        self._has_interaction = any("/_interaction/" in name for name in layout)
        self._layers = layer_names(config.backbone)
        if self._family == _SLOWONLY:
            # Keras numbers the names of these two.
            self._layers = ["stem", "stem_norm", *self._layers[2:]]

    def __call__(self, name):
        """Returns the place of a variable."""
        if name.startswith(_CLASSIFIER):
            return _Place(self._family, "classifier")
        _, numbered, *within, _ = name.split("/")
        layer = self._layers[int(numbered.rpartition("-")[2])]
        path = int(layer.startswith(f"{FAST}_"))
        if found := re.search(r"(res\d)_layer(\d+)$", layer):
            return _Place(
                self._family,
                "block",
                within[0] in _NORMS,
                path,
                STAGES.index(found[1]),
                int(found[2]),
                (_CONVOLUTIONS | _NORMS)[within[0]],
                self._has_interaction,
            )
        is_norm = layer.endswith("_norm")
        if found := re.match(r"(\w+)_lateral", layer):
            stage = _LATERALS.index(found[1])
            return _Place(self._family, "lateral", is_norm, stage=stage)
        return _Place(self._family, "stem", is_norm, path)
