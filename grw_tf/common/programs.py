"""Runs programs and shows users their errors in one line."""

import io
import logging as python_logging
import re
import sys
import types
from collections.abc import Callable

from absl import app, flags, logging

from grw_tf.common.held_stderr import stderr_without


def quieten() -> None:
    """Logs only warnings, and only errors of TensorFlow."""
    logging.set_verbosity(logging.WARNING)
    # TensorFlow warns of deprecations in the Model Garden.
    python_logging.getLogger("tensorflow").setLevel(python_logging.ERROR)


def look_for_gpus() -> None:
    """Makes TensorFlow, if it is imported, look for GPUs without a word.

    If there are none, it complains that CUDA does not start.
    """
    if tensorflow := sys.modules.get("tensorflow"):
        with stderr_without("cuInit"):
            tensorflow.config.list_physical_devices()


def print_any_name() -> None:
    """Makes `print` escape file names that the terminal cannot show."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def called_as(name: str) -> str:
    """Returns the command that started this process: a console program, or a module.

    Args:
        name: The console program's, such as "grw-train".
    """
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return name if spec is None else f"python -m {spec.name}"


def help_text(text: str | None, name: str) -> str:
    """Returns a program's help, with its commands as this process was called.

    Args:
        text: The docstring of its module.
        name: Its name in these commands, such as "grw-train".
    """
    return re.sub(rf"\b{name}(?![\w-])", called_as(name), text or "")


def start(program: types.ModuleType, name: str) -> None:
    """Runs a program of the package from a main module that only names it.

    Args:
        program: Its module, with a docstring, `define_flags` and `main`.
        name: The console program's name.
    """
    # That is whose docstring and flags --help shows.
    sys.modules["__main__"].__doc__ = help_text(program.__doc__, name)
    program.define_flags()
    for flag in flags.FLAGS.get_key_flags_for_module(program):
        flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)
    run(program.main)


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

    # A part of TensorFlow asks for GPUs before `guarded`.
    look_for_gpus()
    app.run(guarded)
