"""Checks the frames that users give."""

from typing import Any

import numpy as np


def check_frame(frame: Any) -> None:
    """Raises a ValueError if a frame is not uint8 [height, width, 3]."""
    if not isinstance(frame, np.ndarray):
        raise ValueError(
            "A frame must be a NumPy array, uint8 [height, width, 3], got"
            f" {type(frame).__name__}."
        )
    if frame.dtype == np.uint8 and frame.ndim == 3 and frame.shape[2] == 3:
        if frame.size:
            return
        hint = "it is empty"
    elif frame.dtype != np.uint8:
        hint = "give bytes, 0 to 255"
    elif frame.ndim == 2 or (frame.ndim == 3 and frame.shape[2] == 1):
        hint = "give a gray frame's values three times"
    elif frame.ndim == 3 and frame.shape[2] == 4:
        hint = "leave out the fourth channel"
    else:
        hint = "give one frame at a time, the channels last"
    raise ValueError(
        f"A frame must be uint8 [height, width, 3], RGB, got {frame.dtype}"
        f" {list(frame.shape)}: {hint}."
    )
