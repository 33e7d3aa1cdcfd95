"""The demo on one's own clips: what is trained, and how."""

import dataclasses

import numpy as np

from grw_tf.common.flags import option
from grw_tf.data import clip_folder as clips
from grw_tf.data.labelled_videos import LabelledVideos
from grw_tf.demo.config import DemoConfig
from grw_tf.models import HeadConfig, ModelConfig, preset


@dataclasses.dataclass(frozen=True)
class ClipsDemoConfig(DemoConfig):
    """Settings of the demo on clips; each is a flag of its program."""

    clips: str = option("", "Folder of class folders of videos.")
    classes: str = option("", "Class folders to use, by commas; empty: all.")
    init_checkpoint: str = option(
        "", "Checkpoint to start from: a name as movinet_a0_stream, or a path."
    )
    gating_activation: str = option(
        "hard_sigmoid_keras",
        "Gate the backbone was trained with: hard_sigmoid_keras (official and published"
        " stream weights) or hard_sigmoid_relu6 (trained with today's Model Garden).",
    )
    preset: str = option("a0_stream", "Model preset, a stream one.")
    output_dir: str = option("runs/clips", "Where runs and figures go.")
    frames: int = option(12, "Frames of a clip.")
    fps: float = option(10.0, "Frames a second of a clip.")
    size: int = option(112, "Height and width of a frame, in pixels.")
    epochs: int = option(5, "Passes over the training clips.")
    batch_size: int = option(8, "Clips in a batch.")
    learning_rate: float = option(1e-3, "Highest learning rate.")


def load(config: ClipsDemoConfig):
    """Returns (train, test) `LabelledVideos`.

    Raises:
      ValueError: as `grw_tf.data.clip_folder.load_clips`, or if a class has no videos
        in a split.
    """
    return tuple(_load_split(config, split) for split in ("train", "test"))


def _load_split(config, split):
    classes = config.classes.split(",") if config.classes else None
    geometry = _base(config).frame_geometry
    found = clips.load_clips(
        config.clips, config.frames, config.fps, geometry, split, classes
    )
    counts = np.bincount(found.labels, minlength=len(found.class_names))
    if not counts.all():
        lacking = [
            n for n, count in zip(found.class_names, counts, strict=True) if not count
        ]
        raise ValueError(f"{config.clips} has no {split} videos of {lacking}.")
    return LabelledVideos(found.videos, found.labels, found.class_names)


def model_config(config: ClipsDemoConfig, train: LabelledVideos) -> ModelConfig:
    """Returns the preset with a transformer head and final-layer smoothing."""
    base = _base(config)
    return dataclasses.replace(
        base,
        backbone=dataclasses.replace(
            base.backbone, gating_activation=config.gating_activation
        ),
        head=HeadConfig(type="transformer"),
        smoothing=config.smoothing(),
        num_classes=len(train.class_names),
    )


def _base(config):
    return preset(config.preset, frames=config.frames, size=config.size, fps=config.fps)
