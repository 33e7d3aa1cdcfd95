"""The TFDS data set `airplanes`, drawn on this machine: nothing is downloaded."""

import dataclasses
import os
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from grw_tf.data.airplanes import videos
from grw_tf.data.airplanes.config import AirplanesConfig

_DESCRIPTION = """
Videos of flat-shaded model airplanes turning in yaw, pitch or roll about their own
axes from a random pose. No single frame shows the class, so the task is temporal.
It follows the warm-up example of GRW smoothing (NeurIPS 2025, arXiv 2511.20928).
"""


class Airplanes(tfds.core.GeneratorBasedBuilder):
    """Builder of `airplanes`. Each configuration is an `AirplanesConfig`.

    Raises:
        ValueError: If `data_dir` already holds another configuration of that name.
    """

    # TFDS 4.9.10 looks this up with importlib_resources, which it does not install.
    code_path = epath.Path(__file__)
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "First release."}
    BUILDER_CONFIGS: ClassVar = [
        AirplanesConfig(name="48px", description="48 px, 12 frames."),
        AirplanesConfig(name="64px", size=64, description="64 px, 12 frames."),
        AirplanesConfig(
            name="32px_fast",
            size=32,
            frames=8,
            # Fast turns are learned from few videos, in minutes.
            min_speed=14.0,
            max_speed=22.0,
            test_videos=600,
            description="32 px, 8 frames, fast turns; 600 test videos.",
        ),
        AirplanesConfig(
            name="48px_unseen_shapes",
            unseen_test_shapes=True,
            description="48 px, 12 frames; the test shapes are not in the train split.",
        ),
        AirplanesConfig(
            name="published",
            frames=6,
            min_speed=14.0,
            max_speed=22.0,
            # The paper's 100 cannot tell two accurate models apart.
            test_videos=1500,
            shapes=("biplane",),
            fixed_airplane=True,
            seed=4,  # Its body, wings and tail have three bright colors.
            description="48 px, 6 frames, fast turns; one airplane, 1500 test videos.",
        ),
    ]

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        wanted = _settings(self.builder_config)
        # Sets that were drawn before a setting existed have its default.
        built = _settings(AirplanesConfig(name="defaults")) | dict(self.info.metadata)
        if built != wanted:
            differing = [k for k in wanted if built[k] != wanted[k]]
            raise ValueError(
                f"{self.data_path} holds config {self.builder_config.name!r} with other"
                f" {', '.join(differing)}: give this config another name."
            )

    def _info(self) -> tfds.core.DatasetInfo:
        config = self.builder_config
        shape = (config.frames, config.size, config.size, 3)
        speed_doc = "Degrees per frame, signed."
        features = {
            "id": tfds.features.Text(),
            "video": tfds.features.Video(shape=shape, encoding_format="png"),
            "label": tfds.features.ClassLabel(names=videos.CLASS_NAMES),
            "shape": tfds.features.Text(),
            "speed": tfds.features.Scalar(dtype=np.float32, doc=speed_doc),
        }
        return self.dataset_info_from_configs(
            description=_DESCRIPTION,
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("video", "label"),
            metadata=tfds.core.MetadataDict(_settings(config)),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager):
        del dl_manager
        return {split: self._generate_examples(split) for split in videos.SPLITS}

    def _generate_examples(self, split: str):
        for index, video in enumerate(videos.videos(self.builder_config, split)):
            fields = {"label": video.label, "shape": video.shape, "speed": video.speed}
            yield index, {"id": f"{split}_{index}", "video": video.frames} | fields


def load_split(
    split: str,
    config: str | AirplanesConfig = "48px",
    data_dir: str | os.PathLike | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Reads a split into memory, and builds the data set if necessary.

    Args:
        split: "train", "test" or a TFDS slice such as "train[:90%]".
        config: A configuration, or the name of one of `Airplanes.BUILDER_CONFIGS`.
        data_dir: Folder of the data sets. By default that of TFDS.

    Returns:
        Videos, uint8 [videos, time, height, width, 3], and labels, int64 [videos].
    """
    builder = Airplanes(config=config, data_dir=data_dir)
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(try_download_gcs=False)
    )
    examples = tfds.as_numpy(builder.as_dataset(split, batch_size=-1))
    return examples["video"], examples["label"]


def _settings(config: AirplanesConfig) -> dict[str, Any]:
    ours = {field.name for field in dataclasses.fields(AirplanesConfig)} - {
        field.name for field in dataclasses.fields(tfds.core.BuilderConfig)
    }
    settings = {name: getattr(config, name) for name in sorted(ours)}
    # As JSON holds them.
    return settings | {"shapes": list(config.shapes)}
