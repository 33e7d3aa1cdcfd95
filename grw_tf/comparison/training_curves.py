"""Draws the training curves in the report of a comparison as a picture.

They are those of Figure 3 of Kim et al., Regularization on Spatio-Temporally Smoothed
Feature for Action Recognition, CVPR 2020.
"""

import dataclasses
import json
from pathlib import Path

from grw_tf.common.flags import option
from grw_tf.common.replacing import replacing
from grw_tf.figures.training_curves import draw_training_curves


@dataclasses.dataclass(frozen=True)
class TrainingCurvesConfig:
    """What to draw; each is a flag."""

    report: str = option("", "A report.json of grw-compare.")
    output: str = option("", "PNG file for the figure.")


def write_training_curves(config: TrainingCurvesConfig) -> None:
    """Draws loss, accuracy and order accuracy of training and validation by step.

    Raises:
        ValueError: If the report is none, or has no curves.
        OSError: If a file cannot be read or written.
    """
    try:
        curves = json.loads(Path(config.report).read_text())["training"]
    except (ValueError, KeyError, TypeError):
        curves = {}
    if not curves:
        raise ValueError(
            f"{config.report} holds no training curves: give the report.json of a"
            " comparison with a finished run."
        )
    with replacing(Path(config.output)) as unfinished:
        draw_training_curves(curves).savefig(unfinished, format="png", dpi=110)
