"""A TFLite file that carries its labels and manifest.

They are in a zip archive after the model, as TFLite metadata has its associated files.
`unzip -l` lists them, and TFLite's own tools can read them.
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
    """Writes a file completely or not at all.

    Args:
        path: The file.
        content: The TFLite model.
        class_names: Names of the classes, in the order of the logits.
        manifest: What `make_manifest` returns, and anything added to it.

    Raises:
        OSError: If it cannot be written.
    """
    with replacing(Path(path)) as unfinished:
        unfinished.write_bytes(bundle(content, class_names, manifest))


def bundle(content: bytes, class_names: Sequence[str], manifest: dict) -> bytes:
    """Returns the file's bytes, with the model's checksum in the manifest."""
    manifest = manifest | {"model_crc32": zlib.crc32(content)}
    file = io.BytesIO(content)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(LABELS, "\n".join(class_names) + "\n")
        archive.writestr(MANIFEST, json.dumps(manifest, indent=2) + "\n")
    return file.getvalue()
