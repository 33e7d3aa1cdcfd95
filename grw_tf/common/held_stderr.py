"""Leaves out lines that libraries write to the standard error."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def stderr_without(*texts: str) -> Iterator[None]:
    """Writes the lines with one of the texts to nowhere, and all others at the end.

    It reaches what C++ code writes to the file descriptor. A closed standard error
    stays as it is.
    """
    try:
        own = os.dup(2)
    except OSError:
        # Standard error is closed: nothing can be written.
        yield
        return
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(own, 2)
            os.close(own)
            held.seek(0)
            for line in held:
                if not any(text.encode() in line for text in texts):
                    os.write(2, line)
