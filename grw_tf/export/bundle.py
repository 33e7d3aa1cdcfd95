"""A TFLite file that carries its labels and manifest.

They are in a zip archive after the model, as TFLite metadata has its associated files.
`unzip -l` lists them, and TFLite's own tools can read them.
"""

import io
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from grw_tf.common.replacing import replacing
from grw_tf.streaming.exported_file import read_stream_or_clip_file

LABELS, MANIFEST = "labels.txt", "manifest.json"


def bundle(content: bytes, class_names: Sequence[str], manifest: dict) -> bytes:
    """Returns the bytes of a file: model, class names and manifest.

    The model's checksum is added to the manifest.
    """
    manifest = manifest | {"model_crc32": zlib.crc32(content)}
    file = io.BytesIO(content)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(LABELS, "\n".join(class_names) + "\n")
        archive.writestr(MANIFEST, json.dumps(manifest, indent=2) + "\n")
    return file.getvalue()


def add_to_manifest(path: Path, output: Path, entries: Mapping[str, Any]) -> None:
    """Writes an exported file with other entries in its manifest.

    Args:
        path: The exported file.
        output: The file to write; it may be the same.
        entries: New entries, which replace those of the same keys.

    Raises:
        OSError, ValueError: If one cannot be read or written.
    """
    exported = read_stream_or_clip_file(path)
    with zipfile.ZipFile(path) as archive:
        size = min(entry.header_offset for entry in archive.infolist())
    content = path.read_bytes()[:size]
    with replacing(output) as unfinished:
        unfinished.write_bytes(
            bundle(content, exported.labels, exported.manifest | dict(entries))
        )
