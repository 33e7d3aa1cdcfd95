"""Draws a contact sheet of the aeroplane videos.

python -m grw_tf.data.airplanes.contact_sheet --output=sheet.png
"""

import cv2
import numpy as np
from absl import app, flags

from grw_tf.data.airplanes import videos
from grw_tf.data.airplanes.config import AirplanesConfig

_OUTPUT = flags.DEFINE_string("output", "airplanes_contact_sheet.png", "PNG to write.")
_SHAPES = flags.DEFINE_list("shapes", "high_wing,delta,swept_jet", "Shapes to show.")
_SIZE = flags.DEFINE_integer("size", 80, "Height and width of a frame in pixels.")
_FRAMES = flags.DEFINE_integer("frames", 12, "Frames in a row.")
_SEED = flags.DEFINE_integer("seed", 4, "Seed of poses, paints and speeds.")

_MARGIN = 56  # Pixels left of a row, for its class.


def contact_sheet(names: list[str], config: AirplanesConfig, seed: int) -> np.ndarray:
    """Draws a row of frames for each shape and class.

    The three rows of a shape start from one pose: only the turn tells them apart.

    Args:
        names: Keys of `shapes.SHAPES`.
        config: Frame size, frames and speeds.
        seed: Seed of poses, paints and speeds.

    Returns:
        uint8 [height, width, 3], RGB.
    """
    rows = []
    for group, name in enumerate(names):
        for label, class_name in enumerate(videos.CLASS_NAMES):
            rng = np.random.default_rng([seed, group])
            frames = videos.draw(config, [name], label, rng).frames
            margin = np.full((config.size, _MARGIN, 3), 255, np.uint8)
            cv2.putText(
                margin,
                class_name,
                (6, config.size // 2 + 5),
                cv2.FONT_HERSHEY_SIMPLEX,
                0.5,
                (40, 40, 40),
                1,
                cv2.LINE_AA,
            )
            rows.append(np.hstack([margin, *frames]))
        rows.append(np.full((6, rows[0].shape[1], 3), 255, np.uint8))
    return np.vstack(rows[:-1])


def main(argv: list[str]) -> None:
    del argv
    config = AirplanesConfig(name="sheet", size=_SIZE.value, frames=_FRAMES.value)
    sheet = contact_sheet(_SHAPES.value, config, _SEED.value)
    if not cv2.imwrite(
        _OUTPUT.value, sheet[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9]
    ):
        raise OSError(f"Cannot write {_OUTPUT.value}.")


if __name__ == "__main__":
    app.run(main)
