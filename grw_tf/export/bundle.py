"""A TFLite file that carries its labels and manifest.

As TFLite metadata does with its associated files: a zip archive after the model, which
`unzip -l` lists and TFLite's own tools read.
"""

import io
import json
import os
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from grw_tf.common.replacing import replacing

LABELS, MANIFEST = "labels.txt", "manifest.json"


def write_bundle(
    path: str | os.PathLike, content: bytes, class_names: Sequence[str], manifest: dict
) -> None:
    """Writes a file, whole or not at all.

    Args:
        path: The file.
        content: Of the TFLite model.
        class_names: Names of the classes, in the order of the logits.
        manifest: As of `make_manifest`, with what is known besides.

    Raises:
        OSError: If it cannot be written.
    """
    with replacing(Path(path)) as unfinished:
        unfinished.write_bytes(bundle(content, class_names, manifest))


def bundle(content: bytes, class_names: Sequence[str], manifest: dict) -> bytes:
    """Returns the bytes of such a file, with the model's checksum in the manifest."""
    manifest = manifest | {"model_crc32": zlib.crc32(content)}
    file = io.BytesIO(content)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(LABELS, "\n".join(class_names) + "\n")
        archive.writestr(MANIFEST, json.dumps(manifest, indent=2) + "\n")
    return file.getvalue()
