"""Runs a function in a child process, which returns all memory when it ends."""

import logging
import multiprocessing
import signal
import traceback
from collections.abc import Callable
from typing import Any

from grw_tf.common.error_text import one_line
from grw_tf.common.programs import look_for_gpus, quieten
from grw_tf.common.worker_process import end_with_parent


def failure_of(function: Callable[[Any], Any], argument: Any) -> str:
    """Runs a function in a new process and returns why it failed.

    The process ends with this one, also if this one is interrupted.

    Args:
        function: A function of a module.
        argument: Its argument, which must be picklable.

    Returns:
        The reason in one line, or "" if the function returned.
    """
    # A copy of this process would share TensorFlow's threads and GPUs.
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(function, argument, sender))
    process.start()
    sender.close()
    try:
        process.join()
    except BaseException:
        process.terminate()
        process.join()
        raise
    if not process.exitcode:
        return ""
    try:
        return receiver.recv()
    except EOFError:
        ended = f"it ended with status {process.exitcode}"
        if process.exitcode == -signal.SIGKILL:
            ended = "it was killed, perhaps for lack of memory"
        return ended


def _run(function, argument, sender):
    end_with_parent()
    quieten()
    look_for_gpus()
    try:
        function(argument)
    except (OSError, ValueError) as error:
        logging.debug("The error came from here:", exc_info=True)
        _fail(sender, one_line(error, 2000))
    except Exception as error:
        traceback.print_exc()
        _fail(sender, f"{type(error).__name__}: {one_line(error)}")


def _fail(sender, reason):
    sender.send(reason)
    sender.close()
    raise SystemExit(1)
