"""Writes JSON files."""

import json
from pathlib import Path

from grw_tf.common.replacing import replacing


def write_json(path: Path, content: dict | list) -> None:
    """Writes a JSON file completely or not at all."""
    with replacing(path) as unfinished:
        unfinished.write_text(json.dumps(content, indent=2) + "\n")
