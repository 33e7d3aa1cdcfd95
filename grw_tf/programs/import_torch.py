"""Makes a checkpoint from PyTorch weights, without PyTorch or running the file.

    grw-import-torch --input=a0s_grw.pt --output_dir=a0s_grw

It reads the published GRW models (a0s, a1s, a2s, a3b), and state dicts of these models,
of MoViNet-pytorch's and of 3-D ResNets from PyTorchVideo, SlowFast's code and
MMAction2, alone or within a training's checkpoint. It reports what it left out,
stripped and converted. The folder then holds a checkpoint for --init_checkpoint.
"""

import dataclasses

from grw_tf.common import flags
from grw_tf.common.flags import option
from grw_tf.weights.torch.importing import import_torch_weights


@dataclasses.dataclass(frozen=True)
class ImportConfig:
    """Settings of the import; each is a flag."""

    input: str = option("", "The .pt file.")
    output_dir: str = option("", "Folder for the checkpoint.")
    weights: str = option(
        "ema", "If a file has both: ema (as in the published results) or model."
    )
    num_heads: int = option(
        0, "Number of attention heads, which plain state dicts do not hold."
    )


def define_flags() -> None:
    flags.define_flags(ImportConfig, required=["input", "output_dir"])


def main(_: list[str]) -> None:
    config = flags.config_from_flags(ImportConfig)
    imported = import_torch_weights(
        config.input, config.output_dir, config.weights, config.num_heads
    )
    print(f"{config.input}: {imported.text()}")
    print(f"Checkpoint: --init_checkpoint={config.output_dir}")
