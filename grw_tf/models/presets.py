"""Configs of the official and the published models, by name.

Official: tensorflow/models, official/projects/movinet. Published: arXiv 2511.20928 and
its PyTorch weights. SlowOnly, SlowFast and CSN: Kim et al., the RMS paper. MobileNetV3
frame by frame: Kondratyuk et al., MoViNets, CVPR 2021, and arXiv 2511.20928.
"""

import dataclasses
from typing import Any

from grw_tf.frames.geometry import SQUARE

# Importing the module of a family registers it, which its configs need.
from grw_tf.models import (
    csn_backbone,  # noqa: F401
    mobilenet_backbone,
    movinet_backbone,  # noqa: F401
    slowfast_backbone,  # noqa: F401
    slowonly_backbone,  # noqa: F401
    tsm_backbone,
)
from grw_tf.models.config import (
    BackboneConfig,
    HeadConfig,
    ModelConfig,
    SmoothingConfig,
)

_STREAM = BackboneConfig()
_BASE = BackboneConfig(
    causal=False,
    conv_type="3d",
    se_type="3d",
    activation="swish",
    gating_activation="sigmoid",
)
# model id: (size in px, frames of a clip, frames per second).
_INPUTS = {
    "a0": (172, 50, 5.0),
    "a1": (172, 50, 5.0),
    "a2": (224, 50, 5.0),
    "a3": (256, 120, 12.0),
    "a4": (290, 80, 8.0),
    "a5": (320, 120, 12.0),
}


def official_config(model_id: str, causal: bool) -> ModelConfig:
    """Returns the config of the official model, with A0's clips if there is none."""
    size, frames, fps = _INPUTS.get(model_id, _INPUTS["a0"])
    backbone = dataclasses.replace(
        _STREAM if causal else _BASE,
        model_id=model_id,
        use_positional_encoding=causal and model_id in ("a3", "a4", "a5"),
    )
    return ModelConfig(backbone=backbone, frames=frames, size=size, fps=fps)


def published_config(model_id: str, causal: bool) -> ModelConfig:
    """Returns `official_config` with the published GRW recipe."""
    config = official_config(model_id, causal)
    return _with_grw(config, window=6 if config.fps == 12.0 else 5)


def resnet_config(model_id: str, frames: int = 8) -> ModelConfig:
    """Returns a 3-D ResNet's config: frames of 64 at 25 per second, 224 px.

    Args:
        model_id: Of a SlowOnly, a SlowFast or a channel-separated network.
        frames: Of a clip, at equal distances.
    """
    return ModelConfig(
        backbone=BackboneConfig.of_family(model_id),
        # As in the Model Garden and the papers of these networks.
        head=HeadConfig(dropout_rate=0.5),
        num_classes=400,
        frames=frames,
        size=224,
        fps=25 / 64 * frames,
    )


def mobilenet_config(model_id: str) -> ModelConfig:
    """Returns a MobileNetV3's config, with its own head on the mean of 50 frames."""
    return ModelConfig(
        backbone=BackboneConfig.of_family(model_id),
        head=HeadConfig(activation="hard_swish", dropout_rate=0.2),
        size=224,
    )


def _with_grw(config, window=5):
    """Returns a config with the published GRW recipe."""
    return dataclasses.replace(
        config,
        head=HeadConfig(type="transformer"),
        smoothing=SmoothingConfig(layers=("final",), window=window),
        frame_fit=SQUARE,
    )


PRESETS = {
    **{
        f"{model_id}_{kind}{suffix}": config_of(model_id, kind == "stream")
        for suffix, config_of in (("", official_config), ("_grw", published_config))
        for kind in ("stream", "base")
        for model_id in _INPUTS
    },
    **{
        name: resnet_config(name)
        for name in ("slowonly_34", "slowonly_50", "csn_ip_50", "csn_ir_50")
    },
    **{
        name: resnet_config(name, frames=32)
        for name in ("slowfast_50_8x8", "slowfast_50_4x16")
    },
    **{
        name: mobilenet_config(name)
        for name in (*mobilenet_backbone.MODEL_IDS, *tsm_backbone.MODEL_IDS)
    },
    **{
        f"{name}_grw": _with_grw(mobilenet_config(name))
        for name in mobilenet_backbone.MODEL_IDS
    },
}
"""Configs by name: `<id>_stream` and `<id>_base` are the official MoViNets, with `_grw`
the published recipe on them (weights exist for a0, a1, a2 stream and a3 base);
`slowonly_34` and `slowonly_50`; `slowfast_50_8x8` and `slowfast_50_4x16`; `csn_ip_50`
and `csn_ir_50`; `mobilenet_v3_small` and `mobilenet_v3_large`, with `tsm_` before them
temporal shifts, with `_grw` after them the published recipe."""


def preset(name: str, **changes: Any) -> ModelConfig:
    """Returns a preset, with fields of `ModelConfig` changed, such as num_classes=10.

    Args:
        name: A name of `PRESETS`.
        **changes: Fields of `ModelConfig`.

    Raises:
        ValueError: For a name that is not in `PRESETS`.
    """
    if name not in PRESETS:
        raise ValueError(
            f"Unknown model preset {name!r}; known: {', '.join(sorted(PRESETS))}."
        )
    return dataclasses.replace(PRESETS[name], **changes)
