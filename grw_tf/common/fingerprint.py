"""Fingerprints of arrays and of files."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np


def fingerprint(arrays: Iterable[np.ndarray]) -> str:
    """Returns a short hash of the shapes, types and values of arrays."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.shape}{array.dtype}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:16]


def file_sha256(path: Path) -> str:
    """Returns the SHA-256 of a file's content, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()
