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
    """Returns the bytes of an exported file.

    Args:
        content: The TFLite model.
        class_names: Names of the classes, in the order of the logits.
        manifest: What `make_manifest` returns, and anything added to it. The model's
            checksum is added here.
    """
    manifest = manifest | {"model_crc32": zlib.crc32(content)}
    file = io.BytesIO(content)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(LABELS, "\n".join(class_names) + "\n")
        archive.writestr(MANIFEST, json.dumps(manifest, indent=2) + "\n")
    return file.getvalue()
