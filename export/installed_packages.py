"""Says in one line what to install if packages of a program are missing."""

import contextlib
import sys
from collections.abc import Iterator

# Packages of the extra `video` in setup.py, by the names that are imported.
_VIDEO = ("absl", "av", "cv2")


@contextlib.contextmanager
def video_packages() -> Iterator[None]:
    """Ends the program with a message if an import within fails."""
    try:
        yield
    except ImportError as error:
        missing = (error.name or "").partition(".")[0]
        if isinstance(error, ModuleNotFoundError) and missing in _VIDEO:
            sys.exit(
                f"The package {missing} is not installed, and videos and cameras need"
                " it: run pip install '.[video]' in the folder of grw_tf."
            )
        sys.exit(f"{type(error).__name__}: {' '.join(str(error).split())}")
