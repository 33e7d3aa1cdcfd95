"""Keeps LiteRT's native code from writing to the terminal."""

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
    """Discards what is written to standard error within, even by native code.

    LiteRT reports every accelerator that it looks for, and Python cannot switch that
    off. Errors are still raised as exceptions.
    """
    with _lock:
        _flush()
        try:
            kept = os.dup(2)
        except OSError:
            # Standard error is closed: there is nothing to silence.
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

    LiteRT's runtime, if it was started, reports each accelerator that it releases,
    after all of Python's code. What Python writes is kept.
    """
    if "ai_edge_litert.compiled_model" in sys.modules:
        _flush()
        with contextlib.suppress(OSError):
            for stream in {sys.stderr, sys.__stderr__}:
                _move_off_descriptor_2(stream)
            _discard()


def _move_off_descriptor_2(stream):
    """Makes a stream write to a copy of descriptor 2, if it writes to descriptor 2.

    The stream is changed in place, because loggers hold it too.
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
