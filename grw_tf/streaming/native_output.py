"""Keeping LiteRT's native code from writing to the terminal."""

import atexit
import contextlib
import io
import os
import sys
import threading
from collections.abc import Iterator

_lock = threading.RLock()


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Discards what is written to standard error meanwhile, by native code too.

    LiteRT tells there of every accelerator it looks for, and no setting that Python
    reaches stops it. Errors come as exceptions all the same.
    """
    with _lock:
        _flush()
        try:
            kept = os.dup(2)
        except OSError:
            # Closed: there is nothing to silence.
            yield
            return
        try:
            _discard()
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


@atexit.register
def silence_the_end() -> None:
    """Discards what native code writes to standard error at the end of the process.

    LiteRT's runtime, if it was started, tells of each accelerator that it lets go of,
    after all of Python's code. What Python writes still comes through.
    """
    if "ai_edge_litert.compiled_model" in sys.modules:
        _flush()
        with contextlib.suppress(OSError):
            for stream in {sys.stderr, sys.__stderr__}:
                _move_off_descriptor_2(stream)
            _discard()


def _move_off_descriptor_2(stream):
    """Makes a stream write to a copy of descriptor 2, if it writes to that.

    In place, for loggers hold it too, and Python goes back to `sys.__stderr__`.
    """
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    if isinstance(raw, io.FileIO) and not raw.closed and raw.fileno() == 2:
        raw.__init__(os.dup(2), "w")


def _flush():
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()


def _discard():
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
