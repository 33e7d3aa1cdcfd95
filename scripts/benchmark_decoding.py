"""Times reading clips of a TFDS data set against the Model Garden's own input.

    python -m scripts.benchmark_decoding
    python -m scripts.benchmark_decoding --length=300 --frames=50

A data set of JPEG frames, as TFDS stores ucf101, is drawn in a temporary folder. Unless
its `tfds_skip_decoding_feature` is set, the Model Garden's task decodes every frame of
a video before it samples some. The task of this project samples first. The Model Garden
resizes by interpolation, this project by averaging if frames shrink. Both are read in
turn in one process.
"""

import dataclasses
import io
import tempfile
from collections.abc import Mapping, Sequence
from typing import ClassVar

import cv2
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
import tqdm
from etils import epath
from official.vision.configs import video_classification as official_configs
from official.vision.tasks import video_classification as official_tasks

from grw_tf.common import flags, paired_timing, programs
from grw_tf.common.checks import check_positive
from grw_tf.common.flags import option
from grw_tf.common.text_table import text_table
from grw_tf.models import presets
from grw_tf.training import step_timing
from grw_tf.training.tasks.video_classification import Task
from scripts.moving_picture import draw_video

OFFICIAL, OURS = "Model Garden", "this project"
CLASSES = ("a", "b")
# A frame takes 6 kB. Frames of UCF101 take 4 to 5 as FFmpeg writes them by default.
QUALITY = 25


@dataclasses.dataclass(frozen=True)
class Options:
    """What to time. Each field is a flag."""

    videos: int = option(24, "Videos to draw.")
    length: int = option(150, "Frames of a video.")
    height: int = option(240, "Pixels of a video's height.")
    width: int = option(320, "Pixels of a video's width.")
    frames: int = option(16, "Frames of a clip.")
    size: int = option(172, "Pixels of a clip's height and width.")
    stride: int = option(5, "Frames of a video from one sampled frame to the next.")
    batch_size: int = option(4, "Clips per batch.")
    batches: int = option(16, "Batches to read per round.")
    rounds: int = option(7, "Number of timings of each.")


@dataclasses.dataclass
class DrawnConfig(tfds.core.BuilderConfig):
    """Number and size of the videos."""

    videos: int = 2
    length: int = 2
    height: int = 16
    width: int = 16


class DrawnVideos(tfds.core.GeneratorBasedBuilder):
    """Videos of a camera that moves over a textured picture, stored like ucf101."""

    # TFDS 4.9.10 looks this up with importlib_resources, which it does not install.
    code_path = epath.Path(__file__)
    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS: ClassVar = [DrawnConfig(name="drawn")]

    def _info(self):
        features = {
            "video": tfds.features.Video((None, None, None, 3), encoding_format="jpeg"),
            "label": tfds.features.ClassLabel(names=CLASSES),
        }
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict(features)
        )

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        config = self.builder_config
        for index in tqdm.trange(config.videos, desc="Drawing", unit="video"):
            shape = config.length, config.height, config.width
            frames = draw_video(*shape, np.random.default_rng(index))
            video = [io.BytesIO(jpeg(frame)) for frame in frames]
            yield index, {"video": video, "label": CLASSES[index % len(CLASSES)]}


def jpeg(frame: np.ndarray) -> bytes:
    """Returns a frame as JPEG."""
    return cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()


def datasets(options: Options, folder: str) -> dict[str, tf.data.Dataset]:
    """Draws the videos and returns the datasets of both projects, by name."""
    fields = {field.name for field in dataclasses.fields(DrawnConfig)}
    drawn = {k: v for k, v in dataclasses.asdict(options).items() if k in fields}
    name = "timed"
    DrawnVideos(
        config=DrawnConfig(name=name, **drawn), data_dir=folder
    ).download_and_prepare()
    data = {
        "tfds_name": f"drawn_videos/{name}",
        "tfds_data_dir": folder,
        "tfds_split": "train",
        "temporal_stride": options.stride,
        "global_batch_size": options.batch_size,
        # The Model Garden's buffer holds decoded videos of 35 MB each.
        "shuffle_buffer_size": 1,
    }
    preset = presets.preset(
        "a0_stream", num_classes=len(CLASSES), frames=options.frames, size=options.size
    )
    own = step_timing.experiment_of(preset).task
    own.train_data.override(data)
    official = official_configs.VideoClassificationTask(
        train_data=official_configs.DataConfig(
            **data,
            feature_shape=(options.frames, options.size, options.size, 3),
            min_image_size=preset.frame_geometry.side,
            num_classes=len(CLASSES),
        )
    )
    tasks = {
        OFFICIAL: official_tasks.VideoClassificationTask(official),
        OURS: Task(own),
    }
    return {
        name: task.build_inputs(task.task_config.train_data)
        for name, task in tasks.items()
    }


def seconds_a_clip(options: Options) -> dict[str, paired_timing.Seconds]:
    """Returns the seconds per clip of each round, by name of the dataset.

    Raises:
        ValueError: If an option is invalid.
    """
    check_positive(**dataclasses.asdict(options))
    with tempfile.TemporaryDirectory() as folder:
        reads = {
            name: step_timing.read_of(dataset, options.batches)
            for name, dataset in datasets(options, folder).items()
        }
        seconds = paired_timing.time_in_turn(reads, options.rounds)
    clips = options.batches * options.batch_size
    return {
        name: paired_timing.Seconds(each.wall / clips, each.cpu / clips)
        for name, each in seconds.items()
    }


def report(seconds: Mapping[str, paired_timing.Seconds], frames: int) -> str:
    """Returns a table with a line for each input, and the ratio of both.

    Args:
        seconds: Result of `seconds_a_clip`.
        frames: Frames of a clip.
    """
    rows = [("input", "clips/s", "used frames/s", "CPU ms a clip")]
    for name, each in seconds.items():
        clips = 1 / np.median(each.wall)
        cpu = 1e3 * np.median(each.cpu)
        rows.append((name, f"{clips:.2f}", f"{frames * clips:.1f}", f"{cpu:.1f}"))
    official, ours = seconds[OFFICIAL], seconds[OURS]
    wall = paired_timing.paired_ratio(official.wall, ours.wall)
    cpu = paired_timing.paired_ratio(official.cpu, ours.cpu)
    return (
        f"{text_table(rows)}\n"
        "Times faster, median and 95 % interval:\n"
        f"  by the clock  {wall}\n"
        f"  by CPU time   {cpu}"
    )


def main(_: Sequence[str]) -> None:
    """Times and reports."""
    options = flags.config_from_flags(Options)
    print(report(seconds_a_clip(options), options.frames))


if __name__ == "__main__":
    flags.define_flags(Options)
    programs.run(main)
