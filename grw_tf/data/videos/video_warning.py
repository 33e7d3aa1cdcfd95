"""Warnings about a video, logged once although its segments are read one by one."""

import functools
import logging
import os


@functools.lru_cache(maxsize=1024)
def warn_once(name: str | os.PathLike, message: str) -> None:
    """Logs a warning about a video unless it has been logged before.

    Args:
        name: Path or URL of the video.
        message: What is unusual about it.
    """
    logging.getLogger(__name__).warning("%s: %s", name, message)
