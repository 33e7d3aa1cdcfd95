r"""Writes a contact sheet of a batch as the model sees it, after augmentation.

    grw-show-batch --experiment=movinet_a0_stream \
        --config_file=configs/own_clips.yaml --config_file=configs/grw.yaml \
        --output=batch.png

--experiment, --config_file and --params_override are those of grw-train: a training
with one worker sees the same clips at the same step. Each row shows a clip: its label
and up to eight of its frames.
"""

import dataclasses
import os
from typing import Any

import cv2
import numpy as np
import tensorflow as tf
import tf_keras
from absl import flags as absl_flags
from official.common import flags as tfm_flags
from official.core import config_definitions as cfg

from grw_tf.common import flags
from grw_tf.common.checks import check_positive
from grw_tf.common.error_text import one_line
from grw_tf.common.flags import option
from grw_tf.figures.contact_sheet import (
    Sheet,
    contact_sheet,
    label_list_text,
    label_text,
)
from grw_tf.training.experiments.parsing import parse_experiment
from grw_tf.training.tasks.video_classification import Task

SPLITS = ("train", "validation")


@dataclasses.dataclass(frozen=True)
class Options:
    """What to show; each field is a flag."""

    output: str = option("batch.png", "PNG to write.")
    split: str = option("train", "The clips to show: train or validation.")
    clips: int = option(8, "Number of clips to show, at most the batch size.")
    step: int = option(0, "Training step, or number of the validation batch, to show.")


def read_batch(task: Task, split: str, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns clips `[batch, time, height, width, 3]` and labels of one batch.

    Raises:
        ValueError: If there is no such split or batch; as the task's `build_inputs`.
        OSError: If a file cannot be read.
    """
    if split not in SPLITS:
        raise ValueError(f"--split={split} must be {' or '.join(SPLITS)}.")
    if step < 0:
        raise ValueError(f"--step={step} must be 0 or more.")
    trains = split == "train"
    data = task.task_config.train_data if trains else task.task_config.validation_data
    if trains:
        task.first_step = step
    # Some augmentations do not draw by the clips' own seeds.
    tf_keras.utils.set_random_seed(task.task_config.seed)
    try:
        batches = task.build_inputs(data).skip(0 if trains else step)
        for features, labels in batches.take(1):
            clips = tf.cast(features["image"], tf.float32).numpy()
            # The views of a clip follow one another.
            return clips, np.repeat(labels, len(clips) // len(labels), axis=0)
    except tf.errors.OpError as error:
        raise OSError(one_line(error)) from error
    raise ValueError(f"--step={step}: there are fewer {split} batches than that.")


def draw(params: cfg.ExperimentConfig, options: Options) -> Sheet:
    """Draws the contact sheet of a batch of an experiment.

    Args:
        params: The experiment's config.
        options: What to show.

    Raises:
        ValueError: See `read_batch`.
        OSError: See `read_batch`.
    """
    check_positive(clips=options.clips)
    task = Task(params.task)
    clips, labels = read_batch(task, options.split, options.step)
    source = task.train_source if options.split == "train" else task.validation_source
    count = min(options.clips, len(clips))
    text = label_list_text if task.model_config.has_several_labels else label_text
    return contact_sheet(
        clips[:count],
        [text(label, source.class_names) for label in labels[:count]],
        f"{options.split}, step {options.step}: {count} of {len(clips)} clips",
    )


def write_png(path: str | os.PathLike, pixels: np.ndarray) -> None:
    """Writes RGB pixels, uint8 `[height, width, 3]`.

    Raises:
        OSError: If the file cannot be written.
    """
    try:
        written = cv2.imwrite(str(path), pixels[..., ::-1])
    except cv2.error:  # For example, for an unknown suffix.
        written = False
    if not written:
        raise OSError(f"--output={path} cannot be written: name a PNG file.")


def define_flags() -> None:
    tfm_flags.define_flags()
    for name in ("experiment", "config_file", "params_override"):
        absl_flags.declare_key_flag(name)
    flags.define_flags(Options)
    absl_flags.mark_flags_as_required(["experiment"])


def main(_: Any) -> None:
    """Writes the sheet that the flags ask for."""
    options = flags.config_from_flags(Options)
    sheet = draw(parse_experiment(absl_flags.FLAGS), options)
    write_png(options.output, sheet.pixels)
    print(f"Written to {options.output}.")
