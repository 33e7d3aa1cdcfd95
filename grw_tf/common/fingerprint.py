"""Fingerprints that tell whether a run found on disk is the one asked for."""

import hashlib


def fingerprint(arrays):
    """Returns a short hash of arrays' shapes, types and values."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.shape}{array.dtype}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:16]


def weights_fingerprint(model):
    """Returns a short hash of a model's trainable weights (smoothing adds none)."""
    return fingerprint(weight.numpy() for weight in model.trainable_weights)
