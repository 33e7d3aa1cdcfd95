"""A TFLite file that carries its labels and manifest.

They are in a zip archive after the model, as TFLite metadata has its associated files.
`unzip -l` lists them, and TFLite's own tools can read them.
"""

import io
import json
import zipfile
import zlib
from collections.abc import Sequence

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
