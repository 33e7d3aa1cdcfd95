"""A contact sheet of the airplane videos."""

import cv2
import numpy as np

from grw_tf.data.airplanes import videos
from grw_tf.data.airplanes.config import AirplanesConfig

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
