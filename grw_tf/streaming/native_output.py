"""Keeping LiteRT's native code from writing to the terminal."""

import atexit
import contextlib
import os
import sys
import threading

_lock = threading.RLock()


@contextlib.contextmanager
def silenced():
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
def silence_the_end():
    """Discards the end of the process' standard error, if LiteRT's runtime was started.

    It tells of each accelerator that it lets go of, after all of Python's code. This is
    registered early, and so called late.
    """
    if "ai_edge_litert.compiled_model" in sys.modules:
        _flush()
        with contextlib.suppress(OSError):
            _discard()


def _flush():
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()


def _discard():
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
