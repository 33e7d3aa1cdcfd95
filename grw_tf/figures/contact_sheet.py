"""Draws a contact sheet of clips as a model sees them: a row per clip, with label."""

import dataclasses
import itertools
import math

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

_FONT = f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans"
_SIZE, _SMALL = 15, 12
_LINE = 20
_INK, _GRAY = (30, 30, 30), (120, 120, 120)
_PAD = 12
_HEAD = 2 * _PAD + 3 * _LINE - 8
_GAP = 3  # Between frames.
_LEAST_SIDE = 112  # Smaller frames are shown enlarged, pixel by pixel.
_LABEL_WIDTH = 200
_LABEL_LINES = 8
_LEAST_SHARE = 0.01


@dataclasses.dataclass(frozen=True)
class Sheet:
    """A contact sheet.

    Attributes:
        pixels: uint8 [height, width, 3], RGB.
        boxes: (left, top, scale) of each frame, by row and column. A pixel of the frame
            is a square of `scale` pixels of the sheet.
        shown: Frame index of each column.
    """

    pixels: np.ndarray
    boxes: tuple[tuple[tuple[int, int, int], ...], ...]
    shown: tuple[int, ...]


def contact_sheet(
    clips: np.ndarray, labels: list[str], title: str, columns: int = 8
) -> Sheet:
    """Draws a row of evenly spaced frames for each clip.

    Args:
        clips: Float [clips, time, height, width, 3]; 0 is black and 1 is white. Other
            values are clipped, and the sheet says so.
        labels: Text beside each clip. Long lines are broken.
        title: Text above the clips.
        columns: Most frames of a clip to show.
    """
    clips = np.asarray(clips, np.float32)
    _, time, height, width, _ = clips.shape
    shown = np.linspace(0, time - 1, min(columns, time)).round().astype(int)
    scale = math.ceil(_LEAST_SIDE / min(height, width))
    texts = [_broken(label) for label in labels]
    heights = [max(scale * height, _LINE * len(lines)) for lines in texts]
    left = 2 * _PAD + max(_width(line) for lines in texts for line in lines)
    lefts = [left + column * (scale * width + _GAP) for column in range(len(shown))]
    tops = list(itertools.accumulate(heights, lambda y, h: y + h + _PAD, initial=_HEAD))
    right = max(lefts[-1] + scale * width, _PAD + _width(title))
    sheet = Image.new("RGB", (right + _PAD, tops[-1]), "white")
    draw = ImageDraw.Draw(sheet)
    draw.text((_PAD, _PAD), title, _INK, _font(_SIZE, bold=True))
    draw.text((_PAD, _PAD + _LINE), _described(clips), _GRAY, _font(_SMALL))
    for x, frame in zip(lefts, shown, strict=True):
        middle = (x + scale * width // 2, _HEAD - 4)
        draw.text(middle, f"frame {frame}", _GRAY, _font(_SMALL), anchor="ms")
    boxes = []
    for clip, lines, y, row_height in zip(clips, texts, tops, heights, strict=False):
        middle = (_PAD, y + row_height // 2)
        draw.multiline_text(middle, "\n".join(lines), _INK, _font(_SIZE), anchor="lm")
        y += (row_height - scale * height) // 2
        for x, frame in zip(lefts, shown, strict=True):
            sheet.paste(Image.fromarray(_enlarged(clip[frame], scale)), (x, y))
        boxes.append(tuple((x, y, scale) for x in lefts))
    return Sheet(np.asarray(sheet), tuple(boxes), tuple(map(int, shown)))


def label_text(label: np.ndarray, names: tuple[str, ...]) -> str:
    """Returns the label of a clip as text, with shares if it has several classes.

    Args:
        label: Index of a class, or shares of classes [classes].
        names: Names of the classes.
    """
    label = np.asarray(label)
    if label.size == 1 and len(names) > 1:
        return names[int(label.reshape(()))]
    if label.max() > 1 - _LEAST_SHARE:
        return names[label.argmax()]
    # Smoothed labels hold a small share of every class.
    least = label.min() + _LEAST_SHARE
    kept = [k for k in np.argsort(-label, kind="stable")[:3] if label[k] > least]
    lines = [f"{label[k]:.0%} {names[k]}" for k in kept]
    rest = label.sum() - label[kept].sum()
    if rest >= _LEAST_SHARE:
        lines.append(f"{rest:.0%} others")
    return "\n".join(lines)


def label_list_text(label: np.ndarray, names: tuple[str, ...]) -> str:
    """Returns a clip's classes as text, with shares of those that are mixed in.

    Args:
        label: For each class whether the clip has it, 0 or 1, or mixed in between.
        names: Names of the classes.
    """
    least = label.min() + _LEAST_SHARE if 0 < label.min() < 0.5 else _LEAST_SHARE
    lines = [
        name if share > 1 - _LEAST_SHARE else f"{share:.0%} {name}"
        for share, name in zip(label, names, strict=True)
        if share > least
    ]
    return "\n".join(lines) or "(no class)"


def _described(clips):
    _, time, height, width, _ = clips.shape
    low, high = clips.min(), clips.max()
    text = (
        f"{time} frames of {width} x {height} px, values {low:.3g} to {high:.3g}, mean"
        f" {clips.mean():.3g}"
    )
    # Models of this project take 0..1.
    return f"{text}: BEYOND 0..1, shown cut" if low < 0 or high > 1 else text


def _enlarged(frame, scale):
    pixels = np.round(255 * frame.clip(0, 1)).astype(np.uint8)
    return pixels.repeat(scale, axis=0).repeat(scale, axis=1)


def _broken(text):
    """Breaks text into lines, at spaces and underscores if there are some."""
    lines = []
    for line in text.split("\n"):
        current = ""
        for word in line.replace("_", "_\0").replace(" ", " \0").split("\0"):
            if current and _width((current + word).rstrip()) > _LABEL_WIDTH:
                lines.append(current.rstrip())
                current = ""
            for letter in word:
                if _width(current + letter) > _LABEL_WIDTH and letter != " ":
                    lines.append(current)
                    current = ""
                current += letter
        lines.append(current.rstrip())
    if len(lines) > _LABEL_LINES:
        lines = [*lines[: _LABEL_LINES - 1], "…"]
    return lines


def _font(size, bold=False):
    return ImageFont.truetype(f"{_FONT}{'-Bold' if bold else ''}.ttf", size)


def _width(text):
    return math.ceil(_font(_SIZE, bold=True).getlength(text))
