"""Maps a frame of any size to the square that a model sees.

Training, evaluation, export and the streaming runtime share this definition. It
computes sizes and positions. `opencv_preparation`, `tensor_preparation` and
`numpy_preparation` move the pixels, and agree within 1 of 255 levels.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

SHORT_SIDE, SQUARE = "short_side", "square"
FRAME_FITS = (SHORT_SIDE, SQUARE)

UNRECORDED_FIT = SQUARE
"""Fit of checkpoints and exported files that do not record one."""

# Sides of the frames of the published GRW models, by the size cropped from them.
_PUBLISHED_RESIZE = {172: 200, 224: 256, 256: 300}


def resize_side(size: int) -> int:
    """Returns the pixels to resize a frame to before cropping `size` pixels."""
    return _PUBLISHED_RESIZE.get(size, round(size * 200 / 172))


def check_fit(fit: str) -> None:
    """Raises a `ValueError` if `fit` is not one of `FRAME_FITS`."""
    if fit not in FRAME_FITS:
        raise ValueError(
            f"frame_fit must be one of {', '.join(FRAME_FITS)}, got {fit!r:.80}."
        )


@dataclasses.dataclass(frozen=True)
class FrameGeometry:
    """How a frame is resized, and which squares are cropped from it.

    "short_side" keeps the frame's aspect and resizes its shorter side to `side` pixels,
    as the Model Garden trains and evaluates MoViNets. "square" squashes the frame to
    `side` by `side` pixels, as the published GRW models do. The square of `size` pixels
    in the middle is then cropped.

    Attributes:
        size: Height and width of the model input, in pixels.
        fit: "short_side" or "square".
        side: Shorter side of the resized frame, or side of the squashed frame, in
            pixels. By default `resize_side(size)`.

    Raises:
        ValueError: If the fit is unknown, the size below 1 or the side below the size.
    """

    size: int
    fit: str
    side: int = 0

    def __post_init__(self):
        check_fit(self.fit)
        if self.size < 1:
            raise ValueError(f"size must be at least 1 pixel, got {self.size}.")
        if not self.side:
            object.__setattr__(self, "side", resize_side(self.size))
        if self.side < self.size:
            raise ValueError(
                f"Frames resized to {self.side} pixels hold no square of {self.size}."
            )

    def resized(
        self, height: Any, width: Any, maximum: Callable = max
    ) -> tuple[Any, Any]:
        """Returns the height and width of a resized frame, in pixels.

        The longer side is rounded down, as the Model Garden's `resize_smallest` and
        torchvision's `Resize` do.

        Args:
            height: Height of the frame, an int or a scalar tensor.
            width: Width of the frame, an int or a scalar tensor.
            maximum: Returns the larger of two values; `tf.maximum` for tensors.
        """
        if self.fit == SQUARE:
            return self.side, self.side
        return (
            maximum(self.side, height * self.side // width),
            maximum(self.side, width * self.side // height),
        )

    def start(self, length: Any) -> Any:
        """Returns the first of the middle `size` pixels of a resized side."""
        return (length - self.size) // 2


def by_area(height: Any, width: Any, rows: Any, columns: Any) -> Any:
    """Returns whether pixels are resized by averaging areas: if neither side grows.

    Otherwise they are interpolated.
    """
    return (height >= rows) & (width >= columns)
