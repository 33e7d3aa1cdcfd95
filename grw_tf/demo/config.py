"""What the demos have in common to set."""

import dataclasses

from grw_tf.common.flags import option
from grw_tf.models import SmoothingConfig
from grw_tf.training.fit import FitConfig


@dataclasses.dataclass(frozen=True)
class DemoConfig:
    """Settings of a demo; each is a flag of its program."""

    output_dir: str = option("runs/demo", "Where runs and figures go.")
    epochs: int = option(15, "Passes over the training videos.")
    batch_size: int = option(25, "Clips in a batch.")
    learning_rate: float = option(5e-3, "Highest learning rate.")
    window: int = option(6, "T, frames in a GRW window.")
    weight: float = option(0.1, "lambda, weight of the GRW loss.")
    batch_norm_recalibration: int = option(
        256, "Training videos to estimate batch statistics on before evaluating; 0: no."
    )
    seed: int = option(0, "Seed of initial weights and order of videos.")

    def smoothing(self) -> SmoothingConfig:
        """Returns smoothing of the final embeddings."""
        return SmoothingConfig(
            layers=("final",), window=self.window, weight=self.weight
        )

    def training(self) -> FitConfig:
        """Returns how models are trained."""
        return FitConfig(
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            batch_norm_recalibration=self.batch_norm_recalibration,
            seed=self.seed,
        )
