"""The demo on generated aeroplanes: what is trained, and how."""

import dataclasses
import pathlib

from grw_tf.data import airplanes
from grw_tf.data.airplanes.videos import CLASS_NAMES
from grw_tf.data.labelled_videos import LabelledVideos
from grw_tf.flags import option
from grw_tf.models import BackboneConfig, HeadConfig, ModelConfig, SmoothingConfig
from grw_tf.training.fit import FitConfig


@dataclasses.dataclass(frozen=True)
class AirplanesDemoConfig:
    """Settings of the airplanes demo; each is a flag of its programs."""

    data_config: str = option("48px", "Config of the TFDS data set `airplanes`.")
    data_dir: str = option("data", "Where the data set is built and kept.")
    output_dir: str = option("runs/airplanes", "Where runs and figures go.")
    epochs: int = option(15, "Passes over the training videos.")
    batch_size: int = option(25, "Clips in a batch.")
    learning_rate: float = option(5e-3, "Highest learning rate.")
    window: int = option(6, "T, frames in a GRW window.")
    weight: float = option(0.1, "lambda, weight of the GRW loss.")
    seed: int = option(0, "Seed of initial weights and order of videos.")


def load(config: AirplanesDemoConfig):
    """Returns (train, test) `LabelledVideos`, building the data set once."""
    pathlib.Path(config.data_dir).mkdir(parents=True, exist_ok=True)
    return tuple(
        LabelledVideos(
            *airplanes.load_split(split, config.data_config, config.data_dir),
            CLASS_NAMES,
        )
        for split in ("train", "test")
    )


def model_config(config: AirplanesDemoConfig, train: LabelledVideos) -> ModelConfig:
    """Returns the config of a small streaming MoViNet with final-layer smoothing."""
    _, frames, size, _, _ = train.videos.shape
    return ModelConfig(
        backbone=BackboneConfig(model_id="nano"),
        head=HeadConfig(type="transformer", depth=1, num_heads=4, mlp_dim=128),
        smoothing=SmoothingConfig(
            layers=("final",), window=config.window, weight=config.weight
        ),
        num_classes=len(train.class_names),
        frames=frames,
        size=size,
    )


def fit_config(config: AirplanesDemoConfig) -> FitConfig:
    """Returns how the model is trained."""
    return FitConfig(
        epochs=config.epochs,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        seed=config.seed,
    )
