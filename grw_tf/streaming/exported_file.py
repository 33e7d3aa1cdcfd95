"""Reads an exported file's labels and manifest, in the zip archive after the model."""

import dataclasses
import errno
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from grw_tf.frames.geometry import FRAME_FITS, UNRECORDED_FIT, FrameGeometry
from grw_tf.streaming.signature_names import step_signature

# The same keys may mean something else in a newer format.
NEWEST_FORMAT = 2
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
    """Reads an export of this project, except the model.

    Raises:
        OSError: If there is no such file, or it cannot be read.
        ValueError: If it is not an export of this project, is damaged, or has a newer
            format.
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


def _check(path, labels, manifest):
    version = manifest.get("format_version") if isinstance(manifest, dict) else None
    if _is_count(version) and version > NEWEST_FORMAT:
        raise ValueError(
            f"{path} has format {version}, and this grw_tf reads formats up to"
            f" {NEWEST_FORMAT}: install a newer grw_tf."
        )
    try:
        taken = manifest["input"]
        # The layout of TensorFlow's samples has another axis of 1 before them.
        *before, count, height, width, channels = taken["shape"]
        known_input = (
            (taken["dtype"], taken["range"]) in _INPUTS
            and all(map(_is_count, [*taken["shape"], taken["resize"]]))
            and before in ([], [1])
            and height == width <= taken["resize"] <= _MOST_RESIZE
            and channels == 3
            and taken.get("channels", "RGB") == "RGB"
            and (version == 1 or taken["frame_fit"] in FRAME_FITS)
        )
        states = manifest["states"]
        known_states = all(map(_is_known_state, states)) and len(states) == len(
            {state["name"] for state in states}
        )
        known = (
            _is_count(version)
            and known_input
            and known_states
            and _is_finite(manifest["fps"])
            and manifest["fps"] > 0
            and manifest["frames_per_step"] == count
            and step_signature(manifest["signatures"]) in manifest["signatures"]
            and manifest["output"]["shape"][-1] == len(labels)
            and isinstance(manifest.get("parity") or {}, dict)
        )
    except (AttributeError, LookupError, TypeError, ValueError):
        known = False
    if not known:
        raise ValueError(
            f"{path} has a manifest that does not describe a stream of frames with"
            f" {len(labels)} labels: it is damaged, or another program wrote it."
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
