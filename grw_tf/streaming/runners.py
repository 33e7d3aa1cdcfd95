"""Choosing what runs an exported model."""

import logging

from grw_tf.common.error_text import one_line
from grw_tf.streaming.interpreter_runner import InterpreterRunner
from grw_tf.streaming.model_check import check_model

RUNNERS = ("compiled", "interpreter")
_MOST_THREADS = 1024


def open_runner(exported, name=None, num_threads=1, xnnpack=True):
    """Opens an exported model.

    Args:
      exported: an `ExportedFile`.
      name: one of `RUNNERS`; by default the first that runs here.
      num_threads: threads to compute with.
      xnnpack: whether by XNNPACK, else by TFLite's own kernels.

    Returns:
      (the name of the runner; the runner, with `step`, `classify`, `reset`, `close`).

    Raises:
      ValueError: if the model is damaged or cannot be run, or an argument is unfit.
    """
    if name is not None and name not in RUNNERS:
        raise ValueError(f"Unknown runner {name!r}; known: {', '.join(RUNNERS)}.")
    check_threads(num_threads)
    check_model(exported)
    if name != "interpreter":
        try:
            from grw_tf.streaming.compiled_runner import CompiledRunner

            return "compiled", CompiledRunner(exported, num_threads, xnnpack)
        # Older LiteRT lacks it, and its interface is young: it may fail in any way.
        except Exception as error:
            if name == "compiled":
                raise ValueError(
                    f"{exported.path} cannot be run as a compiled model"
                    f" ({one_line(error)}): use the interpreter."
                ) from None
            logging.getLogger(__name__).warning(
                "%s runs in the interpreter, which copies the states at each step, for"
                " it cannot be run as a compiled model: %s. A newer ai-edge-litert may"
                " do it; runner='interpreter' leaves out this warning.",
                exported.path,
                one_line(error),
            )
    try:
        return "interpreter", InterpreterRunner(exported, num_threads, xnnpack)
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            f"{exported.path} cannot be run ({one_line(error)}): it is"
            " damaged, or needs a newer ai-edge-litert."
        ) from None


def check_threads(num_threads):
    """Raises a `ValueError` if it is no number of threads."""
    is_number = isinstance(num_threads, int) and not isinstance(num_threads, bool)
    if not (is_number and 1 <= num_threads <= _MOST_THREADS):
        raise ValueError(
            f"num_threads is {num_threads!r}: it must be a whole number from 1 to"
            f" {_MOST_THREADS}."
        )
