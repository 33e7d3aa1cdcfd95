"""Running a function in a process of its own, which gives back all memory."""

import logging
import multiprocessing
import signal
import threading
import traceback

from grw_tf.common.process_pool import end_with_parent
from grw_tf.common.programs import quieten


def failure_of(function, argument) -> str:
    """Runs a function of a module in a new process.

    It ends with this process, and with an interruption of it.

    Args:
      function: what to run.
      argument: of it, which can be pickled.

    Returns:
      "" if it returned; else why not, in one line.
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
    # The first process decides what Ctrl-C means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()
    quieten()
    try:
        function(argument)
    except (OSError, ValueError) as error:
        logging.debug("The error came from here:", exc_info=True)
        _fail(sender, " ".join(str(error).split()))
    except Exception as error:
        traceback.print_exc()
        _fail(sender, f"{type(error).__name__}: {' '.join(str(error).split()):.500}")


def _fail(sender, reason):
    sender.send(reason)
    sender.close()
    raise SystemExit(1)
