"""Draws a contact sheet of the airplane videos: a row for each shape and class.

    python -m scripts.airplanes_contact_sheet --output=sheet.png

The three rows of a shape start from one pose and differ only in the turn.
"""

from collections.abc import Sequence

import cv2
from absl import flags

from grw_tf.common import programs
from grw_tf.data.airplanes import AirplanesConfig
from grw_tf.data.airplanes.contact_sheet import contact_sheet

_OUTPUT = flags.DEFINE_string("output", "airplanes_contact_sheet.png", "PNG to write.")
_SHAPES = flags.DEFINE_list("shapes", "high_wing,delta,swept_jet", "Shapes to show.")
_SIZE = flags.DEFINE_integer("size", 80, "Height and width of a frame in pixels.")
_FRAMES = flags.DEFINE_integer("frames", 12, "Frames in a row.")
_SEED = flags.DEFINE_integer("seed", 4, "Seed of poses, paints and speeds.")


def main(_: Sequence[str]) -> None:
    """Draws and writes the sheet."""
    config = AirplanesConfig(name="sheet", size=_SIZE.value, frames=_FRAMES.value)
    sheet = contact_sheet(_SHAPES.value, config, _SEED.value)
    options = [cv2.IMWRITE_PNG_COMPRESSION, 9]
    if not cv2.imwrite(_OUTPUT.value, sheet[..., ::-1], options):
        raise OSError(f"Cannot write {_OUTPUT.value}.")


if __name__ == "__main__":
    programs.run(main)
