"""Runs programs and shows users their errors in one line."""

import io
import logging as python_logging
import sys
from collections.abc import Callable

from absl import app, flags, logging

from grw_tf.common.held_stderr import stderr_without


def quieten() -> None:
    """Logs only warnings, and only errors of TensorFlow.

    TensorFlow, if imported, looks for GPUs: without any, it complains of CUDA.
    """
    logging.set_verbosity(logging.WARNING)
    # TensorFlow warns of deprecations in the Model Garden.
    python_logging.getLogger("tensorflow").setLevel(python_logging.ERROR)
    if tensorflow := sys.modules.get("tensorflow"):
        with stderr_without("cuInit"):
            tensorflow.config.list_physical_devices()


def print_any_name() -> None:
    """Makes `print` escape file names that the terminal cannot show."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def run(main: Callable) -> None:
    """Runs `main` with parsed flags, as `absl.app.run` does.

    A bad value or an unusable file ends the program with a message. --verbosity=1 shows
    the traceback too. Without --verbosity, only warnings are logged.

    Args:
        main: Takes the remaining arguments and returns the exit status.
    """

    def guarded(arguments):
        if not flags.FLAGS["verbosity"].present:
            quieten()
        try:
            return main(arguments)
        except (OSError, ValueError) as error:
            logging.debug("The error came from here:", exc_info=True)
            sys.exit(f"{type(error).__name__}: {error}")
        except KeyboardInterrupt:
            # The status that shells give to programs ended by Ctrl-C.
            sys.exit(130)

    app.run(guarded)
