"""What an exported file says about itself, in the zip archive after the model."""

import dataclasses
import json
import os
import zipfile
import zlib

import numpy as np

# Files of a newer format may mean something else by the same keys.
NEWEST_FORMAT = 1
_DTYPES = ("float32", "int32", "int8", "uint8", "int16")


@dataclasses.dataclass(frozen=True)
class ExportedFile:
    """An exported file's labels and manifest.

    Attributes:
      path: of the file.
      labels: names of the classes, in the order of the logits.
      manifest: as of `grw_tf.export.manifest`.
    """

    path: str
    labels: list[str]
    manifest: dict

    @property
    def size(self):
        """Height and width in pixels of the frames that the model takes."""
        return self.manifest["input"]["shape"][1]

    @property
    def states(self):
        """The states as {name: (shape, dtype, initial value)}."""
        return {
            state["name"]: (
                tuple(state["shape"]),
                np.dtype(state["dtype"]),
                state["initial_value"],
            )
            for state in self.manifest["states"]
        }


def read_exported_file(path) -> ExportedFile:
    """Reads a file of `grw_tf.export`, all but the model.

    Raises:
      OSError: if there is no such file, or it cannot be read.
      ValueError: if it is not an export of this project, is damaged, or is of a newer
        format.
    """
    path = os.fspath(path)
    if os.path.isdir(path):
        raise IsADirectoryError(f"{path} is a folder: give an exported .tflite file.")
    foreign = (
        "it is not an export of grw_tf, or only a part of one: export the model again."
    )
    try:
        with zipfile.ZipFile(path) as archive:
            labels = archive.read("labels.txt").decode().removesuffix("\n").split("\n")
            manifest = json.loads(archive.read("manifest.json"))
            # The archive begins where the model ends.
            model_size = min(entry.header_offset for entry in archive.infolist())
    except (
        *(zipfile.BadZipFile, zlib.error, EOFError),
        *(LookupError, RuntimeError, ValueError),
    ):
        raise ValueError(f"{path} carries no labels and manifest: {foreign}") from None
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
    if isinstance(version, int) and version > NEWEST_FORMAT:
        raise ValueError(
            f"{path} is of format {version}, this grw_tf knows up to {NEWEST_FORMAT}:"
            " install a newer grw_tf."
        )
    try:
        taken = manifest["input"]
        _, height, width, channels = taken["shape"]
        known_input = (
            (taken["dtype"], taken["range"])
            in (("uint8", [0, 255]), ("float32", [0.0, 1.0]))
            and height == width <= taken["resize"]
            and channels == 3
        )
        known_states = all(
            state["dtype"] in _DTYPES
            and isinstance(state["name"], str)
            and state["shape"] is not None
            and state["initial_value"] is not None
            for state in manifest["states"]
        )
        known = (
            version is not None
            and known_input
            and known_states
            and manifest["fps"] > 0
            and manifest["frames_per_step"] == taken["shape"][0]
            and "step" in manifest["signatures"]
            and manifest["output"]["shape"][-1] == len(labels)
        )
    except (KeyError, TypeError, ValueError):
        known = False
    if not known:
        raise ValueError(
            f"{path} has a manifest that does not describe a stream of frames with"
            f" {len(labels)} labels: it is damaged, or another program wrote it."
        )


def _crc32(path, size):
    checksum = 0
    with open(path, "rb") as file:
        while size > 0 and (part := file.read(min(size, 1 << 20))):
            checksum = zlib.crc32(part, checksum)
            size -= len(part)
    return checksum
