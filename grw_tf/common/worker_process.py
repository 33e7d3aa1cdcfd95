"""How worker processes end: with the process that started them."""

import multiprocessing
import os
import signal
import threading


def end_with_parent() -> None:
    """Ends this process as soon as its parent ends, and leaves Ctrl-C to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent():
    multiprocessing.parent_process().join()
    os._exit(1)
