"""Published weights: official MoViNets and GRW models, trained on Kinetics-600.

Sources: tensorflow/models, official/projects/movinet/README.md, whose server has
answered 403 since February 2026 (issues 13610, 13611); Kaggle Models, google/movinet,
with the same weights as SavedModels. No SHA-256 is published.
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

    @property
    def variation(self) -> str:
        """Its variation on Kaggle, such as a0-stream-kinetics-600-classification."""
        model = self.name.removeprefix("movinet_").replace("_", "-")
        return f"{model}-kinetics-600-classification"

    @property
    def kaggle(self) -> str:
        """Its handle on Kaggle."""
        version = 2 if self.config.backbone.causal else 3
        return f"google/movinet/tensorFlow2/{self.variation}/{version}"

    @property
    def port_file(self) -> str | None:
        """The name of its file in MoViNet-pytorch, which lacks three."""
        model_id = self.config.backbone.model_id.upper()
        if not self.config.backbone.causal:
            return f"model{model_id}_statedict_v3"
        if model_id in ("A0", "A1", "A2"):
            return f"model{model_id}_stream_statedict_v3"
        return None


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

GRW_MODELS = ("a0s_grw", "a1s_grw", "a2s_grw", "a3b_grw")
"""Published GRW models by name. Their repository has no licence file."""


def find(name: str) -> OfficialCheckpoint | None:
    """Returns the checkpoint of a name such as `MoViNet-A0-Stream`, None if unknown."""
    name = _plain(name)
    return OFFICIAL.get(name) or OFFICIAL.get(f"movinet_{name}")


def hint(name: str) -> str:
    """Returns a hint about an unknown name: the nearest name, and all names."""
    names = {official.removeprefix("movinet_"): official for official in OFFICIAL}
    names |= {grw: grw for grw in GRW_MODELS}
    near = nearest_name(_plain(name).removeprefix("movinet_"), list(names))
    question = f"Did you mean {names[near]}? " if near else ""
    return (
        f"{question}Official checkpoints: {', '.join(OFFICIAL)}. Published GRW models:"
        f" {', '.join(GRW_MODELS)}."
    )


def _plain(name):
    return name.lower().replace("-", "_")
