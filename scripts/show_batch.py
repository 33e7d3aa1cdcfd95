"""Writes a contact sheet of a batch as the model sees it, after augmentation.

    python -m scripts.show_batch --experiment=movinet_a0_stream \\
        --config_file=configs/own_clips.yaml --config_file=configs/grw.yaml \\
        --output=batch.png

--experiment, --config_file and --params_override are those of scripts.train, of which a
training without other workers sees the same clips at the same step. Each row is a clip,
its label beside it, and up to eight of its frames.
"""

import dataclasses

import cv2
import numpy as np
import tensorflow as tf
import tf_keras
from absl import flags as absl_flags
from official.common import flags as tfm_flags

from grw_tf.common import flags, programs
from grw_tf.common.checks import check_positive
from grw_tf.common.error_text import one_line
from grw_tf.common.flags import option
from grw_tf.figures.contact_sheet import contact_sheet, label_text
from grw_tf.training.experiments.parsing import parse_experiment
from grw_tf.training.tasks.video_classification import Task

SPLITS = ("train", "validation")


@dataclasses.dataclass(frozen=True)
class Options:
    """What to show; each is a flag."""

    output: str = option("batch.png", "PNG to write.")
    split: str = option("train", "What to show, train or validation.")
    clips: int = option(8, "Clips to show; at most those of the batch.")
    step: int = option(0, "Step of training whose batch to show; batch of validation.")


def read_batch(task, split, step):
    """Returns a batch of a task: clips [batch, time, height, width, 3], and labels.

    Raises:
        ValueError: If there is no such split or batch; as the task's `build_inputs`.
        OSError: If a file cannot be read.
    """
    if split not in SPLITS:
        raise ValueError(f"--split={split} is neither of {', '.join(SPLITS)}.")
    if step < 0:
        raise ValueError(f"--step={step} must be 0 or more.")
    trains = split == "train"
    data = task.task_config.train_data if trains else task.task_config.validation_data
    if trains:
        task.first_step = step
    # Of the augmentations that the clips' own seeds do not decide.
    tf_keras.utils.set_random_seed(task.task_config.seed)
    try:
        batches = task.build_inputs(data).skip(0 if trains else step)
        for features, labels in batches.take(1):
            clips = tf.cast(features["image"], tf.float32).numpy()
            # Several views of a clip are so many clips in a row.
            return clips, np.repeat(labels, len(clips) // len(labels), axis=0)
    except tf.errors.OpError as error:
        raise OSError(one_line(error)) from error
    raise ValueError(f"--step={step}: the {split} clips are fewer than batches to it.")


def draw(params, options):
    """Draws what the options ask of an experiment.

    Args:
        params: The experiment's config.
        options: `Options`.

    Returns:
        A `Sheet`.

    Raises:
        ValueError, OSError: As `read_batch`.
    """
    check_positive(clips=options.clips)
    task = Task(params.task)
    clips, labels = read_batch(task, options.split, options.step)
    source = task.train_source if options.split == "train" else task.validation_source
    count = min(options.clips, len(clips))
    return contact_sheet(
        clips[:count],
        [label_text(label, source.class_names) for label in labels[:count]],
        f"{options.split}, step {options.step}: {count} of {len(clips)} clips",
    )


def write_png(path, pixels):
    """Writes uint8 [height, width, 3], RGB.

    Raises:
        OSError: If the file cannot be written.
    """
    try:
        written = cv2.imwrite(str(path), pixels[..., ::-1])
    except cv2.error:  # As for a suffix of no picture.
        written = False
    if not written:
        raise OSError(f"--output={path} cannot be written: name a PNG file.")


def main(_):
    options = flags.config_from_flags(Options)
    sheet = draw(parse_experiment(absl_flags.FLAGS), options)
    write_png(options.output, sheet.pixels)
    print(f"Written to {options.output}.")


if __name__ == "__main__":
    tfm_flags.define_flags()
    for name in ("experiment", "config_file", "params_override"):
        absl_flags.declare_key_flag(name)
    flags.define_flags(Options)
    absl_flags.mark_flags_as_required(["experiment"])
    programs.run(main)
