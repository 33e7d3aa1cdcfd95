"""Draws a contact sheet of the airplane videos: a row for each shape and class.

    python -m scripts.airplanes_contact_sheet --output=sheet.png

The three rows of a shape start from one pose and differ only in the turn.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from absl import flags

from grw_tf.common import programs
from grw_tf.data.airplanes import AirplanesConfig, videos

_OUTPUT = flags.DEFINE_string("output", "airplanes_contact_sheet.png", "PNG to write.")
_SHAPES = flags.DEFINE_list("shapes", "high_wing,delta,swept_jet", "Shapes to show.")
_SIZE = flags.DEFINE_integer("size", 80, "Height and width of a frame in pixels.")
_FRAMES = flags.DEFINE_integer("frames", 12, "Frames in a row.")
_SEED = flags.DEFINE_integer("seed", 4, "Seed of poses, paints and speeds.")

_MARGIN = 56  # Pixels left of a row, for its class.


def contact_sheet(names: list[str], config: AirplanesConfig, seed: int) -> np.ndarray:
    """Returns the sheet of shapes by name, uint8 [height, width, 3], RGB."""
    rows = []
    for group, name in enumerate(names):
        for label, class_name in enumerate(videos.CLASS_NAMES):
            rng = np.random.default_rng([seed, group])
            frames = videos.draw(config, [name], label, rng).frames
            margin = np.full((config.size, _MARGIN, 3), 255, np.uint8)
            font, place = cv2.FONT_HERSHEY_SIMPLEX, (6, config.size // 2 + 5)
            gray = (40, 40, 40)
            cv2.putText(margin, class_name, place, font, 0.5, gray, 1, cv2.LINE_AA)
            rows.append(np.hstack([margin, *frames]))
        rows.append(np.full((6, rows[0].shape[1], 3), 255, np.uint8))
    return np.vstack(rows[:-1])


def main(_: Sequence[str]) -> None:
    """Draws and writes the sheet."""
    config = AirplanesConfig(name="sheet", size=_SIZE.value, frames=_FRAMES.value)
    sheet = contact_sheet(_SHAPES.value, config, _SEED.value)
    options = [cv2.IMWRITE_PNG_COMPRESSION, 9]
    if not cv2.imwrite(_OUTPUT.value, sheet[..., ::-1], options):
        raise OSError(f"Cannot write {_OUTPUT.value}.")


if __name__ == "__main__":
    programs.run(main)
