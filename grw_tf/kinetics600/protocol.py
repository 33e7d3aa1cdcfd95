"""Runs the published evaluation on Kinetics-600, from videos to top-1.

Videos are resampled, cut and prepared as torchvision does for the published numbers of
the GRW models (arXiv 2511.20928). The published evaluation drops the last batches, and
devices may share a clip. Here each clip counts once.
"""

import dataclasses
import hashlib
import json
import os
import re
from pathlib import Path

from official.core import config_definitions

from grw_tf.common.checks import check_positive
from grw_tf.common.flags import option
from grw_tf.common.labels_file import read_labels
from grw_tf.common.output_folder import check_writable
from grw_tf.data.listing.video_list import Video, read_class_folders, warn_of_left_out
from grw_tf.evaluation.predictions import write_results
from grw_tf.kinetics600.clip_archive import is_archive, unpack_clips
from grw_tf.kinetics600.clips import ClipRule
from grw_tf.kinetics600.evaluated_model import WholeModel, open_whole_model
from grw_tf.kinetics600.prediction_files import PredictionFiles
from grw_tf.kinetics600.published_numbers import TEST_CLIPS, published_top_1
from grw_tf.kinetics600.results import Outcome, write_outcome
from grw_tf.kinetics600.sharded_inference import ShardedInference
from grw_tf.kinetics600.video_prediction import predict_files
from grw_tf.training.strategy import build_strategy


@dataclasses.dataclass(frozen=True)
class ProtocolConfig:
    """What to evaluate, and how. Each field is a flag.

    Raises:
        ValueError: If a value is invalid.
    """

    checkpoint: str = option(
        "",
        "Checkpoint of a whole model: a PyTorch file (.pt, whose EMA weights are used),"
        " a folder of grw-import-torch, or a checkpoint of a training.",
    )
    clips: str = option(
        "",
        "Folder of class folders of videos, or an archive of one (.tar, .tar.gz, .zip),"
        " which is unpacked once.",
    )
    output_dir: str = option("", "Folder for predictions and results.")
    labels: str = option(
        "",
        "File with the classes of the model, one per line, in the order of its logits."
        " Empty: the class folders, sorted.",
    )
    short_clips: str = option(
        "drop",
        "Videos too short for a clip: drop (as published) or repeat their last frame.",
    )
    frames: int = option(0, "Frames of a clip. 0: those of the model.")
    fps: float = option(0.0, "Frames per second of a clip. 0: those of the model.")
    batch_size: int = option(8, "Clips at once on each device.")
    num_gpus: int = option(0, "GPUs to use. 0: all, or the CPU if there are none.")
    workers: int = option(0, "Videos to read at once. 0: one per core.")
    shard: str = option(
        "1/1",
        "Part of the work for this machine, such as 2/4. All parts share one"
        " --output_dir, and the last one to end writes the results.",
    )
    videos_per_file: int = option(
        64,
        "Videos whose predictions are saved at once. A kill loses no more than these.",
    )
    unpack_dir: str = option(
        "", "Folder for the unpacked archive. Empty: beside the archive, with its name."
    )

    def __post_init__(self):
        check_positive(batch_size=self.batch_size, videos_per_file=self.videos_per_file)
        for name in ("frames", "fps", "num_gpus", "workers"):
            if getattr(self, name) < 0:
                raise ValueError(
                    f"{name} is {getattr(self, name)}: it must be 0 or more."
                )
        if self.short_clips not in ("drop", "repeat"):
            raise ValueError(
                f"short_clips is {self.short_clips!r}: it must be drop or repeat."
            )
        index, count = self.shard_of
        if not 1 <= index <= count:
            raise ValueError(
                f"shard is {self.shard!r}: expected i/n, with i from 1 to n."
            )

    @property
    def shard_of(self) -> tuple[int, int]:
        """The number of the shard, from 1, and the number of shards."""
        match = re.fullmatch(r"(\d+)/(\d+)", self.shard)
        return (int(match[1]), int(match[2])) if match else (0, 0)


def evaluate_published(config: ProtocolConfig) -> Outcome | None:
    """Predicts the clips that earlier runs have not, and writes all results.

    Returns:
        The outcome, or None if other shards have not ended.

    Raises:
        ValueError: If the checkpoint does not hold a whole model, clips or classes do
            not fit it, or the folder belongs to another run.
        OSError: If something cannot be read or written.
    """
    folder = Path(config.output_dir)
    check_writable(folder)
    changes = {"frames": config.frames, "fps": config.fps}
    changes = {name: value for name, value in changes.items() if value}
    model = open_whole_model(config.checkpoint, **changes)
    root = Path(config.clips)
    if is_archive(root) and not root.is_dir():
        root = unpack_clips(root, config.unpack_dir or None)
    listing, folders = read_class_folders(root)
    warn_of_left_out(root, listing.left_out)
    videos = listing.videos
    names = _class_names(config, folders, model)
    labels = [names.index(video.label) for video in videos]
    plan = _plan(config, model, videos, names)
    sizes = [v.path.stat().st_size if v.path.exists() else -1 for v in videos]
    files = PredictionFiles(folder, plan, sizes, config.videos_per_file)
    index, count = config.shard_of
    numbers = [k for k in files.missing() if k % count == index - 1]
    if numbers:
        speed = _predict(config, model, files, numbers, videos, labels)
        part = "" if count == 1 else f"_{index}_of_{count}"
        write_results(folder / f"speed{part}.json", speed)
    if files.missing():
        return None
    published = published_top_1(model.config)
    settings = plan["settings"]
    outcome = write_outcome(
        folder, settings, files.read(), videos, labels, names, published
    )
    left_out = sum(file.is_fault for file in listing.left_out)
    return dataclasses.replace(outcome, left_out=left_out)


def _class_names(config, folders, model: WholeModel):
    classes = model.config.num_classes
    if not config.labels and len(folders) != classes:
        raise ValueError(
            f"{config.clips} has {len(folders)} class folders, and the model {classes}"
            " classes: give --labels, a file of the model's classes in their order."
        )
    names = read_labels(config.labels) if config.labels else tuple(folders)
    if len(names) != classes:
        raise ValueError(
            f"{config.labels} has {len(names)} classes, and the model {classes}: it"
            " must have the model's, in the order of its logits."
        )
    unknown = sorted(set(folders) - set(names))
    if unknown:
        raise ValueError(
            f"{config.labels} lacks {len(unknown)} of the class folders:"
            f" {', '.join(map(repr, unknown[:5]))}; names must be equal, letter by"
            " letter."
        )
    return names


def _plan(config, model: WholeModel, videos: list[Video], names):
    """Returns what distinguishes a run from others, whatever its devices and shards."""
    listed = [names, *([video.name, video.label] for video in videos)]
    cut = model.config
    return {
        "settings": {
            "weights": model.fingerprint,
            "model": cut.backbone.model_id,
            "frames": cut.frames,
            "fps": cut.fps,
            "size": cut.size,
            "short_clips": config.short_clips,
            "videos_per_file": config.videos_per_file,
        },
        "videos": len(videos),
        "videos_sha256": hashlib.sha256(json.dumps(listed).encode()).hexdigest(),
    }


def _predict(config, model: WholeModel, files, numbers, videos, labels):
    runtime = config_definitions.RuntimeConfig(
        distribution_strategy="mirrored", num_gpus=config.num_gpus
    )
    strategy = build_strategy(runtime)
    with strategy.scope():
        built = model.build()
    inference = ShardedInference(built, strategy, config.batch_size)
    cut = model.config
    rule = ClipRule(
        cut.frames, cut.fps, cut.frame_geometry, config.short_clips == "repeat"
    )
    speed = predict_files(
        files, numbers, videos, labels, rule, inference, config.workers, TEST_CLIPS
    )
    readers = {"workers": config.workers or os.cpu_count()}
    return speed.to_dict(strategy, inference.batch_size, TEST_CLIPS) | readers
