"""Running the scripts: what users see when something is wrong."""

import logging as python_logging
import sys

from absl import app, flags, logging


def quieten():
    """Lets only warnings be logged, and of TensorFlow only errors."""
    logging.set_verbosity(logging.WARNING)
    # It warns of deprecations in the Model Garden.
    python_logging.getLogger("tensorflow").setLevel(python_logging.ERROR)


def run(main):
    """Runs `main` with parsed flags, as `absl.app.run`.

    A bad value or a file that cannot be used ends the program with a message; with
    --verbosity=1 the traceback comes before it. Without --verbosity only warnings are
    logged.
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
            # As shells say that Ctrl-C ended a program.
            sys.exit(130)

    app.run(guarded)
