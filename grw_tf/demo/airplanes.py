"""The demo on generated aeroplanes: what is trained, and how."""

import dataclasses
import pathlib

from grw_tf.common.flags import option
from grw_tf.data import airplanes
from grw_tf.data.airplanes.videos import CLASS_NAMES
from grw_tf.data.labelled_videos import LabelledVideos
from grw_tf.demo.config import DemoConfig
from grw_tf.models import BackboneConfig, HeadConfig, ModelConfig


@dataclasses.dataclass(frozen=True)
class AirplanesDemoConfig(DemoConfig):
    """Settings of the airplanes demo; each is a flag of its programs."""

    data_config: str = option("48px", "Config of the TFDS data set `airplanes`.")
    data_dir: str = option("data", "Where the data set is built and kept.")
    output_dir: str = option("runs/airplanes", "Where runs and figures go.")


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
        smoothing=config.smoothing(),
        num_classes=len(train.class_names),
        frames=frames,
        size=size,
    )
