"""Reads an exported file's labels and manifest, in the zip archive after the model."""

import dataclasses
import errno
import json
import logging
import os
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from grw_tf.common.output_activation import SIGMOID, SOFTMAX
from grw_tf.frames.geometry import FRAME_FITS, UNRECORDED_FIT, FrameGeometry
from grw_tf.streaming.answers import sigmoid, softmax
from grw_tf.streaming.signature_names import CLASSIFY_CLIP, step_signature

# The same keys may mean something else in a newer format.
NEWEST_FORMAT = 3
# Formats that older readers would take for a softmax begin here.
_SIGMOID_FORMAT = 3
_DTYPES = ("float32", "int32", "int8", "uint8", "int16")
_INPUTS = (("uint8", [0, 255]), ("float32", [0.0, 1.0]))
# In pixels. Larger values are wrong, and would fill the memory.
_MOST_RESIZE = 10_000
_MOST_FLOAT = float(np.finfo(np.float32).max)

StateSpec = tuple[tuple[int, ...], np.dtype, int | float]
"""Shape, type and initial value of a state."""


@dataclasses.dataclass(frozen=True)
class ExportedFile:
    """An exported file's labels and manifest.

    Attributes:
        path: The file.
        labels: Names of the classes, in the order of the logits.
        manifest: See `grw_tf.export.manifest`.
    """

    path: str
    labels: list[str]
    manifest: dict

    @property
    def geometry(self) -> FrameGeometry:
        """How frames are prepared; "square" for format 1, which did not record it."""
        taken = self.manifest["input"]
        fit = taken.get("frame_fit", UNRECORDED_FIT)
        return FrameGeometry(taken["shape"][-2], fit, taken["resize"])

    @property
    def output_activation(self) -> str:
        """What turns logits into scores, "softmax" or "sigmoid"."""
        return self.manifest["output"].get("activation", SOFTMAX)

    @property
    def thresholds(self) -> tuple[float, ...] | None:
        """The scores from which sigmoids name their classes; None for a softmax."""
        if self.output_activation == SOFTMAX:
            return None
        return tuple(self.manifest["output"]["thresholds"])

    def scores(self, logits: np.ndarray) -> np.ndarray:
        """Returns the scores of logits, both [num_classes]."""
        return (softmax if self.thresholds is None else sigmoid)(logits)

    @property
    def classifies_clips(self) -> bool:
        """Whether the model takes whole clips, and no streams."""
        return CLASSIFY_CLIP in self.manifest["signatures"]

    @property
    def step_signature(self) -> str:
        """Name of the signature that takes a step."""
        return step_signature(self.manifest["signatures"])

    @property
    def states(self) -> dict[str, StateSpec]:
        """The states by name."""
        return state_specs(self.manifest["states"])


def state_specs(entries: Iterable[Mapping[str, Any]]) -> dict[str, StateSpec]:
    """Returns the states that a manifest lists, by name."""
    return {
        entry["name"]: (
            tuple(entry["shape"]),
            np.dtype(entry["dtype"]),
            entry["initial_value"],
        )
        for entry in entries
    }


def read_exported_file(path: str | os.PathLike) -> ExportedFile:
    """Reads an exported stream, except the model.

    Raises:
        OSError: If there is no such file, or it cannot be read.
        ValueError: If it is not an export of this project, is damaged, has a newer
            format, or classifies whole clips.
    """
    exported = read_stream_or_clip_file(path)
    if exported.classifies_clips:
        raise ValueError(
            f"{exported.path} classifies whole clips and cannot be streamed: open it"
            " with grw_tf.streaming.ClipClassifier, or give a video file to grw-stream."
        )
    return exported


def read_clip_file(path: str | os.PathLike) -> ExportedFile:
    """Reads an exported file that classifies whole clips, except the model.

    Raises:
        OSError, ValueError: As `read_exported_file`, or if it is a stream.
    """
    exported = read_stream_or_clip_file(path)
    if not exported.classifies_clips:
        raise ValueError(
            f"{exported.path} classifies streams frame by frame, not whole clips: open"
            " it with grw_tf.streaming.StreamSession."
        )
    return exported


def read_stream_or_clip_file(path: str | os.PathLike) -> ExportedFile:
    """Reads an export of this project of either kind, except the model.

    Raises:
        OSError, ValueError: As `read_exported_file`.
    """
    path = os.fspath(path)
    if os.path.isdir(path):
        raise IsADirectoryError(f"{path} is a folder: give an exported .tflite file.")
    foreign = (
        "it is not an export of grw_tf, or only a part of one: export the model again."
    )
    carries_none = f"{path} carries no labels and manifest: {foreign}"
    try:
        with zipfile.ZipFile(path) as archive:
            labels = archive.read("labels.txt").decode().removesuffix("\n").split("\n")
            manifest = json.loads(archive.read("manifest.json"))
            # The archive begins where the model ends.
            model_size = min(entry.header_offset for entry in archive.infolist())
    except OSError as error:
        # A damaged archive directory points outside the file.
        if error.errno not in (None, errno.EINVAL):
            raise
        raise ValueError(carries_none) from None
    except (
        *(zipfile.BadZipFile, zlib.error, struct.error, EOFError),
        *(LookupError, RuntimeError, ValueError),
    ):
        raise ValueError(carries_none) from None
    with open(path, "rb") as file:
        if file.read(8)[4:] != b"TFL3":
            raise ValueError(f"{path} carries no TFLite model: {foreign}")
    _check(path, labels, manifest)
    expected = manifest.get("model_crc32")
    if expected is not None and _crc32(path, model_size) != expected:
        raise ValueError(
            f"{path} is damaged: copy it again, or export the model again."
        )
    return ExportedFile(path, labels, manifest)


def warn_of_mismatch(exported: ExportedFile) -> None:
    """Warns if a file was exported although it does not give its model's numbers."""
    if not (exported.manifest.get("parity") or {}).get("passed", True):
        logging.getLogger(__name__).warning(
            "%s was exported although it does not give its model's numbers; its"
            " manifest.json says by how much, under parity.",
            exported.path,
        )


def _check(path, labels, manifest):
    version = manifest.get("format_version") if isinstance(manifest, dict) else None
    if _is_count(version) and version > NEWEST_FORMAT:
        raise ValueError(
            f"{path} has format {version}, and this grw_tf reads formats up to"
            f" {NEWEST_FORMAT}: install a newer grw_tf."
        )
    try:
        of_clips = CLASSIFY_CLIP in manifest["signatures"]
        known = (
            _is_count(version)
            and _is_known_input(manifest["input"], version)
            and _is_finite(manifest["fps"])
            and manifest["fps"] > 0
            and manifest["output"]["shape"][-1] == len(labels)
            and _is_known_output(manifest["output"], version, len(labels))
            and isinstance(manifest.get("parity") or {}, dict)
            and (_takes_clips(manifest) if of_clips else _takes_steps(manifest))
        )
    except (AttributeError, LookupError, TypeError, ValueError):
        known = of_clips = False
    if not known:
        what = "clips" if of_clips else "a stream of frames"
        raise ValueError(
            f"{path} has a manifest that does not describe {what} with {len(labels)}"
            " labels: it is damaged, or another program wrote it."
        )


def _is_known_input(taken, version):
    # The layout of TensorFlow's samples, and clips, have another axis of 1 first.
    *before, _, height, width, channels = taken["shape"]
    return (
        (taken["dtype"], taken["range"]) in _INPUTS
        and all(map(_is_count, [*taken["shape"], taken["resize"]]))
        and before in ([], [1])
        and height == width <= taken["resize"] <= _MOST_RESIZE
        and channels == 3
        and taken.get("channels", "RGB") == "RGB"
        and (version == 1 or taken["frame_fit"] in FRAME_FITS)
    )


def _is_known_output(output, version, classes):
    activation = output.get("activation", SOFTMAX)
    if activation == SOFTMAX:
        return True
    thresholds = output["thresholds"]
    return (
        activation == SIGMOID
        and version >= _SIGMOID_FORMAT
        and len(thresholds) == classes
        and all(_is_finite(number) and 0 <= number <= 1 for number in thresholds)
    )


def _takes_steps(manifest):
    states = manifest["states"]
    return (
        all(map(_is_known_state, states))
        and len(states) == len({state["name"] for state in states})
        and manifest["frames_per_step"] == manifest["input"]["shape"][-4]
        and step_signature(manifest["signatures"]) in manifest["signatures"]
    )


def _takes_clips(manifest):
    _, frames, *_ = manifest["input"]["shape"]
    return (
        len(manifest["input"]["shape"]) == 5
        and manifest["window"] == frames
        and manifest["signatures"] == [CLASSIFY_CLIP]
    )


def _is_known_state(state):
    value, dtype = state["initial_value"], state["dtype"]
    known = (
        dtype in _DTYPES
        and isinstance(state["name"], str)
        and isinstance(state["shape"], list)
        and all(map(_is_count, state["shape"]))
        and _is_finite(value)
    )
    if not known or dtype == "float32":
        return known
    limits = np.iinfo(dtype)
    return value == int(value) and limits.min <= value <= limits.max


def _is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_finite(value):
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and abs(value) <= _MOST_FLOAT


def _crc32(path, size):
    checksum = 0
    with open(path, "rb") as file:
        while size > 0 and (part := file.read(min(size, 1 << 20))):
            checksum = zlib.crc32(part, checksum)
            size -= len(part)
    return checksum
