r"""Exports a trained model as a TensorFlow SavedModel, for servers.

    grw-export-saved-model --checkpoint_dir=runs/own \
        --output_dir=serving/own/1

Signature `serving_default` classifies clips. Stream models also have `init_states`,
`step` and, if the head gives logits on demand, `classify`, for videos frame by frame.
"""

import dataclasses
from pathlib import Path

from grw_tf.common import flags
from grw_tf.common.flags import option
from grw_tf.common.output_folder import check_writable
from grw_tf.export.export_config import CLASSES_HELP
from grw_tf.export.saved_model import check_replaceable, write_saved_model
from grw_tf.weights.run_directory import read_run
from grw_tf.weights.thresholds import THRESHOLDS_HELP


@dataclasses.dataclass(frozen=True)
class Options:
    """What to export; each field is a flag."""

    checkpoint_dir: str = option(
        "", "--model_dir of the training, or a checkpoint that records its config."
    )
    output_dir: str = option(
        "", "Folder to write; an earlier export there is replaced."
    )
    labels: str = option(
        "", "File of the classes' names; by default labels.txt by the checkpoint."
    )
    classes: str = option("", CLASSES_HELP)
    thresholds: str = option("", THRESHOLDS_HELP)


def define_flags() -> None:
    flags.define_flags(Options, required=["checkpoint_dir", "output_dir"])


def main(_: object) -> None:
    options = flags.config_from_flags(Options)
    # Before the model is built, which takes a long time.
    check_replaceable(options.output_dir)
    check_writable(Path(options.output_dir))
    run = read_run(options.checkpoint_dir, options.labels, options.classes)
    thresholds = run.thresholds(options.thresholds)
    write_saved_model(options.output_dir, run.model, run.class_names, thresholds)
    print(f"Written to {options.output_dir}.")
