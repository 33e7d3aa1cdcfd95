"""Which test clips are predicted correctly, as short text."""

import numpy as np


def pack(right: np.ndarray) -> str:
    """Returns bool [clips] as hexadecimal digits, four clips a digit."""
    return np.packbits(right).tobytes().hex()


def unpack(text: str, clips: int) -> np.ndarray:
    """Returns bool [clips] from the text of `pack`.

    Raises:
        ValueError: If the text is not of so many clips.
    """
    packed = np.frombuffer(bytes.fromhex(text), np.uint8)
    if len(packed) != -(-clips // 8):
        raise ValueError(f"{text!r:.40} holds not {clips} clips: make the report anew.")
    return np.unpackbits(packed, count=clips).astype(bool)
