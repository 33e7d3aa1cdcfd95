"""Says why a video cannot be read."""

from pathlib import Path


def fault_of(path: Path, error: Exception) -> str:
    """Returns the reason in the error of reading a video, without the path.

    Files can be broken in many ways, so the error may be any.
    """
    reason = getattr(error, "strerror", None)
    return reason or str(error).removeprefix(f"{path} ") or type(error).__name__
