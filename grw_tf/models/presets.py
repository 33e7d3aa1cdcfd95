"""Configs of the official and the published models, by name.

Official: tensorflow/models, official/projects/movinet. Published: arXiv 2511.20928 and
its PyTorch weights.
"""

import dataclasses

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
# model id: (size in px, frames of a clip, frames a second).
_INPUTS = {
    "a0": (172, 50, 5.0),
    "a1": (172, 50, 5.0),
    "a2": (224, 50, 5.0),
    "a3": (256, 120, 12.0),
    "a4": (290, 80, 8.0),
    "a5": (320, 120, 12.0),
}


def official_config(model_id, causal) -> ModelConfig:
    """Returns the official model's config; of ids that have none, with A0's clips."""
    size, frames, fps = _INPUTS.get(model_id, _INPUTS["a0"])
    backbone = dataclasses.replace(
        _STREAM if causal else _BASE,
        model_id=model_id,
        use_positional_encoding=causal and model_id in ("a3", "a4", "a5"),
    )
    return ModelConfig(backbone=backbone, frames=frames, size=size, fps=fps)


def published_config(model_id, causal) -> ModelConfig:
    """Returns the published GRW recipe upon `official_config`."""
    config = official_config(model_id, causal)
    return dataclasses.replace(
        config,
        head=HeadConfig(type="transformer"),
        smoothing=SmoothingConfig(
            layers=("final",), window=6 if config.fps == 12.0 else 5
        ),
    )


PRESETS = {
    **{f"{model_id}_stream": official_config(model_id, True) for model_id in _INPUTS},
    **{f"{model_id}_base": official_config(model_id, False) for model_id in _INPUTS},
    **{
        f"{model_id}_stream_grw": published_config(model_id, True)
        for model_id in _INPUTS
    },
    **{
        f"{model_id}_base_grw": published_config(model_id, False)
        for model_id in _INPUTS
    },
}
"""Configs by name: `<id>_stream` and `<id>_base` are the official models, with `_grw`
the published recipe upon them (weights exist of a0, a1, a2 stream and a3 base)."""


def preset(name, **changes) -> ModelConfig:
    """Returns a preset, with fields of `ModelConfig` changed.

    Raises:
      ValueError: for an unknown name.
    """
    if name not in PRESETS:
        raise ValueError(
            f"Unknown model preset {name!r}; known: {', '.join(sorted(PRESETS))}."
        )
    return dataclasses.replace(PRESETS[name], **changes)
