"""Prepares a frame for a model with OpenCV."""

import cv2
import numpy as np

from grw_tf.frames.geometry import FrameGeometry, by_area


def prepare_frame(frame: np.ndarray, geometry: FrameGeometry) -> np.ndarray:
    """Returns the middle square of a resized frame.

    Args:
        frame: uint8 [height, width, 3], upright.
        geometry: Frame geometry of the model.

    Returns:
        uint8 [size, size, 3].
    """
    height, width = frame.shape[:2]
    rows, columns = geometry.resized(height, width)
    method = (
        cv2.INTER_AREA if by_area(height, width, rows, columns) else cv2.INTER_LINEAR
    )
    resized = cv2.resize(frame, (columns, rows), interpolation=method)
    top, left = geometry.start(rows), geometry.start(columns)
    return resized[top : top + geometry.size, left : left + geometry.size]
