"""Writes a model's weights as a state dict for PyTorch, without needing PyTorch.

    grw-export-torch --checkpoint=runs/model --output=model.pt

PyTorch loads it with `model.load_state_dict(torch.load("model.pt"))` into the published
GRW code's ActionRecognitionModel or, with the official head, MoViNet-pytorch's MoViNet.
"""

import dataclasses

from grw_tf.common import flags
from grw_tf.common.flags import option
from grw_tf.weights.torch.exporting import export_torch_weights
from grw_tf.weights.torch.names import model_name


@dataclasses.dataclass(frozen=True)
class ExportConfig:
    """Settings of the export; each is a flag."""

    checkpoint: str = option("", "Checkpoint: a prefix, folder, .tar.gz or name.")
    output: str = option("", "The .pt file to write.")
    gating_activation: str = option(
        "", "Gate of a checkpoint that records none, such as the Model Garden's."
    )


def define_flags() -> None:
    flags.define_flags(ExportConfig, required=["checkpoint", "output"])


def main(_: list[str]) -> None:
    config = flags.config_from_flags(ExportConfig)
    written = export_torch_weights(
        config.checkpoint, config.output, config.gating_activation
    )
    print(f"{config.output}: {model_name(written)}, {written.head.type} head.")
