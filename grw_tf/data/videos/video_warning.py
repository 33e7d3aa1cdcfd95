"""Warnings about a video, logged once although its segments are read one by one."""

import functools
import logging


@functools.lru_cache(maxsize=1024)
def warn_once(name: str, message: str) -> None:
    """Logs a warning about a video, by path or URL, unless it was logged before."""
    logging.getLogger(__name__).warning("%s: %s", name, message)
