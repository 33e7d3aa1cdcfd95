"""Waits for the other workers of a training, visibly and so that signals end it.

TensorFlow waits for them too, but forever and silently, and meanwhile neither Ctrl-C
nor SIGTERM ends the process. So it is called only once all workers can be reached.
"""

import contextlib
import logging
import signal
import socket
import threading
import time
from collections.abc import Iterator, Sequence

# Seconds.
_ATTEMPT = 1.0
_PAUSE = 0.5
_REMINDER = 60.0


def meet(own: str, others: Sequence[str]) -> None:
    """Waits until every other worker can be reached, and logs which ones are missing.

    Meanwhile this worker's port is open, so that the others find it. Afterwards the
    port is free for TensorFlow, which opens it again for slower workers to find.
    Addresses are host:port.

    Raises:
        ValueError: If this worker's port cannot be opened.
    """
    if not others:
        return
    with _listening(own):
        # A warning, because scripts show nothing below it.
        logging.warning(
            "Waiting for the %d workers that TF_CONFIG names ...", len(others) + 1
        )
        missing, reminded = list(others), time.monotonic()
        while missing := [address for address in missing if not _answers(address)]:
            if time.monotonic() - reminded > _REMINDER:
                reminded = time.monotonic()
                logging.warning("Still waiting for %s ...", ", ".join(missing[:5]))
            time.sleep(_PAUSE)


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Lets Ctrl-C end the process within, and restores the action of SIGTERM after.

    TensorFlow keeps Python's handlers from running while it connects, and replaces the
    action of SIGTERM for good with one that only logs it.
    """
    # Only the main thread may set actions.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    if handlers[signal.SIGINT] is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            # None means an action that was not set from Python.
            if handler is not None:
                signal.signal(number, handler)


def _listening(own: str) -> socket.socket:
    port = int(own.rpartition(":")[2])
    dual = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if dual else socket.AF_INET
    try:
        return socket.create_server(
            ("", port), family=family, backlog=socket.SOMAXCONN, dualstack_ipv6=dual
        )
    except OSError as error:
        raise ValueError(
            f"TF_CONFIG gives this worker the address {own!r}, whose port cannot be"
            f" opened ({error.strerror}): end what uses it, or choose another port."
        ) from None


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ATTEMPT).close()
    except OSError:
        return False
    return True
