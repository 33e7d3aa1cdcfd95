"""The official MoViNet checkpoints, trained on Kinetics-600.

Source: tensorflow/models, official/projects/movinet/README.md. No SHA-256 is published.
"""

import dataclasses

from grw_tf.common.suggestions import nearest_name
from grw_tf.models.config import ModelConfig
from grw_tf.models.presets import preset

_URL = "https://storage.googleapis.com/tf_model_garden/vision/movinet/{}.tar.gz"


@dataclasses.dataclass(frozen=True)
class OfficialCheckpoint:
    """A published checkpoint of a whole model.

    Attributes:
        name: Such as `movinet_a0_stream`.
        config: The model's config, with the size and frames of the clips on which its
            accuracy was measured.
        top1, top5: Published accuracies in percent.
        megabytes: Published size in MB.
    """

    name: str
    url: str
    config: ModelConfig
    top1: float
    top5: float
    megabytes: int


# model: (top-1, top-5, megabytes).
_FIGURES = {
    "a0_base": (72.28, 90.92, 12),
    "a1_base": (76.69, 93.40, 18),
    "a2_base": (78.62, 94.17, 20),
    "a3_base": (81.79, 95.67, 29),
    "a4_base": (83.48, 96.16, 44),
    "a5_base": (84.27, 96.39, 72),
    "a0_stream": (72.05, 90.63, 12),
    "a1_stream": (76.45, 93.25, 18),
    "a2_stream": (78.40, 94.05, 20),
    "a3_stream": (80.09, 94.84, 29),
    "a4_stream": (81.49, 95.66, 44),
    "a5_stream": (82.37, 95.79, 72),
}

OFFICIAL = {
    f"movinet_{model}": OfficialCheckpoint(
        f"movinet_{model}", _URL.format(f"movinet_{model}"), preset(model), *figures
    )
    for model, figures in _FIGURES.items()
}
"""Official checkpoints by name."""


def find(name: str) -> OfficialCheckpoint | None:
    """Returns the checkpoint of a name such as `MoViNet-A0-Stream`, None if unknown."""
    name = _plain(name)
    return OFFICIAL.get(name) or OFFICIAL.get(f"movinet_{name}")


def hint(name: str) -> str:
    """Returns a hint about an unknown name: the nearest name, and all names."""
    shorts = [official.removeprefix("movinet_") for official in OFFICIAL]
    near = nearest_name(_plain(name).removeprefix("movinet_"), shorts)
    question = f"Did you mean movinet_{near}? " if near else ""
    return f"{question}Official checkpoints: {', '.join(OFFICIAL)}."


def _plain(name):
    return name.lower().replace("-", "_")
