"""The TFDS data set `labelled_clips`, built from your own videos."""

import json
import logging
import re
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from grw_tf.data.labelled_clips.config import LabelledClipsConfig
from grw_tf.data.preparation import manifest
from grw_tf.data.preparation.chosen_videos import class_names, list_videos

FAILURES_FILE = "failures.json"

_DESCRIPTION = """
Labeled clips as JPEG frames at a steady rate, converted from videos as by
`grw-prepare`, on one machine or many.
"""


class LabelledClips(tfds.core.GeneratorBasedBuilder):
    """Builder of `labelled_clips`. Each configuration is a `LabelledClipsConfig`.

    A label is a class, or, where videos list labels, a sequence of any number of them.

    `failures.json` beside the records lists the videos left out. They cause an error
    only with `strict`, or if a split is left empty, which TFDS does not support.

    Raises:
        ImportError: If the data set is not built yet and Beam is not installed.
        ValueError: If `data_dir` already holds another configuration of that name.
    """

    # TFDS 4.9.10 looks this up with importlib_resources, which it does not install.
    code_path = epath.Path(__file__)
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "First release."}
    # TFDS accepts configurations from the command line only if there is one here.
    BUILDER_CONFIGS: ClassVar = [
        LabelledClipsConfig(name="default", description="No videos: name your own.")
    ]

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        if not self.is_prepared():
            _check_beam()
            return
        wanted, built = self.builder_config.content(), dict(self.info.metadata)
        # Either may leave out settings that are at their defaults.
        names = dict.fromkeys([*wanted, *built])
        differing = [name for name in names if built.get(name) != wanted.get(name)]
        if differing:
            raise ValueError(
                f"{self.data_path} holds config {self.builder_config.name!r} with other"
                f" {', '.join(differing)}: give this config another name, or read it by"
                " tfds.builder_from_directory."
            )

    def _info(self) -> tfds.core.DatasetInfo:
        shape = (None, None, None, 3)
        features = {
            "video": tfds.features.Video(shape, encoding_format="jpeg"),
            "label": self._label_feature(),
            "fps": tfds.features.Scalar(dtype=np.float32, doc="Frames per second."),
            "source": tfds.features.Text(doc="Path of the video as listed."),
        }
        return self.dataset_info_from_configs(
            description=_DESCRIPTION,
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("video", "label"),
            metadata=tfds.core.MetadataDict(self.builder_config.content()),
        )

    def _label_feature(self):
        # The names are known when the videos are listed.
        label = tfds.features.ClassLabel()
        if self.builder_config.preparation().lists_labels:
            return tfds.features.Sequence(label)
        return label

    def _split_generators(self, dl_manager: tfds.download.DownloadManager, pipeline):
        del dl_manager
        config = self.builder_config.preparation()
        videos = list_videos(config)
        label = self.info.features["label"]
        label = label.feature if config.lists_labels else label
        label.names = list(class_names(videos, config))
        self._listed = len(videos)
        splits = tuple(dict.fromkeys(video.split for video in videos))
        for split in splits:
            if not re.fullmatch(r"[\w-]+", split) or split.lower() == "all":
                raise ValueError(
                    f"The split {split!r} is one that TFDS cannot read: rename it,"
                    " using letters, digits, _ and -, and not 'all'."
                )
        return self._generate_examples(pipeline, config, splits)

    def _generate_examples(self, pipeline, config, splits):
        from grw_tf.data.labelled_clips.pipeline import clips_by_split

        failures_file = self.data_path / FAILURES_FILE
        return clips_by_split(pipeline, config, splits, failures_file)

    def _process_pipeline_result(self, pipeline_result: Any) -> None:
        del pipeline_result
        failures = json.loads((self.data_path / FAILURES_FILE).read_text())
        if failures:
            listed = {"splits": {}, "failures": failures, "videos": self._listed}
            logging.warning("%s", manifest.report(listed).strip())


def _check_beam():
    try:
        import apache_beam  # noqa: F401
    except ImportError:
        raise ImportError(
            "Building labelled_clips needs Apache Beam, which is not installed: run"
            " pip install 'grw_tf[beam]', in a checkout pip install '.[beam]', or use"
            " grw-prepare, which needs none."
        ) from None
