"""Says in one line what to install if packages that a program needs are missing."""

import contextlib
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def packages_of(extra: str) -> Iterator[None]:
    """Ends the program with a message if an import within fails.

    Args:
        extra: The extra of grw_tf that installs what is imported.
    """
    try:
        yield
    except ImportError as error:
        missing = (error.name or "").partition(".")[0]
        if isinstance(error, ModuleNotFoundError) and missing != "grw_tf":
            sys.exit(
                f"The package {missing} is not installed, and this program needs it:"
                f" run pip install 'grw_tf[{extra}]', or in the folder of a checkout"
                f" run pip install '.[{extra}]'."
            )
        sys.exit(f"{type(error).__name__}: {' '.join(str(error).split())}")
