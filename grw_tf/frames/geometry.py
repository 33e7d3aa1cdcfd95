"""Where a frame of any size ends up in the square that a model sees.

The one definition that training, evaluation, export and the streaming runtime share. It
computes sizes and positions. `opencv_preparation`, `tensor_preparation` and
`numpy_preparation`, beside it, move the pixels, and agree to 1 of 255 levels.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

SHORT_SIDE, SQUARE = "short_side", "square"
FRAME_FITS = (SHORT_SIDE, SQUARE)

UNRECORDED_FIT = SQUARE
"""The fit of checkpoints and exported files that were made before they recorded one."""

# The published GRW models' sides, by the size that is cropped from them.
_PUBLISHED_RESIZE = {172: 200, 224: 256, 256: 300}


def resize_side(size: int) -> int:
    """Returns the pixels to which a frame is resized before `size` are cropped."""
    return _PUBLISHED_RESIZE.get(size, round(size * 200 / 172))


def check_fit(fit: str) -> None:
    """Raises a ValueError if `fit` is none of `FRAME_FITS`."""
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
        size: Height and width in pixels of the square that a model sees.
        fit: "short_side" or "square".
        side: Pixels of the resized frame's shorter side, or of the squashed frame;
            `resize_side(size)` if not given.

    Raises:
        ValueError: For another fit, a size below 1 or a side below the size.
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
        """Returns the height and width in pixels of a resized frame.

        The longer side is rounded down, as the Model Garden's `resize_smallest` and
        torchvision's `Resize` do.

        Args:
            height, width: The frame's, as ints or as scalar tensors.
            maximum: The larger of two; `tf.maximum` for tensors.
        """
        if self.fit == SQUARE:
            return self.side, self.side
        return (
            maximum(self.side, height * self.side // width),
            maximum(self.side, width * self.side // height),
        )

    def start(self, length: Any) -> Any:
        """Returns where the middle `size` pixels of a resized side begin."""
        return (length - self.size) // 2


def by_area(height: Any, width: Any, rows: Any, columns: Any) -> Any:
    """Says whether resized pixels are means over areas, as they are if no side grows.

    Otherwise they are interpolated.
    """
    return (height >= rows) & (width >= columns)
