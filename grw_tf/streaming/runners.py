"""Choosing what runs an exported model."""

import logging
from typing import Protocol

import numpy as np

from grw_tf.common.error_text import one_line
from grw_tf.streaming.exported_file import ExportedFile
from grw_tf.streaming.litert import make_interpreter
from grw_tf.streaming.model_check import check_model
from grw_tf.streaming.native_output import silenced
from grw_tf.streaming.signature_loop import SignatureLoop

RUNNERS = ("compiled", "interpreter")
_MOST_THREADS = 1024


class Runner(Protocol):
    """Runs a stream's steps and keeps its states."""

    def step(self, image: np.ndarray) -> np.ndarray | None:
        """Takes frames as the model does; returns their logits, or None."""

    def classify(self) -> np.ndarray:
        """Returns the logits of the states, for models whose steps give none."""

    def reset(self) -> None:
        """Gives all states their initial values."""

    def set_state(self, name: str, value: float) -> None:
        """Sets all numbers of a state before the next step."""

    def close(self) -> None:
        """Releases the model."""


def open_runner(
    exported: ExportedFile, name: str | None = None, num_threads: int = 1
) -> tuple[str, Runner]:
    """Opens an exported model in one of `RUNNERS`, by default the first that runs here.

    Compiled models take no int16 from NumPy, so files with such states are interpreted.

    Returns:
        The name of the runner, and the runner.

    Raises:
        ValueError: If the model is damaged or cannot be run, or an argument is invalid.
    """
    if name is not None and name not in RUNNERS:
        raise ValueError(f"Unknown runner {name!r}; known: {', '.join(RUNNERS)}.")
    check_threads(num_threads)
    check_model(exported)
    taken = exported.manifest["input"]
    image = np.zeros(taken["shape"], taken["dtype"])
    if name is None and _has_int16(exported):
        name = "interpreter"
    if name != "interpreter":
        try:
            from grw_tf.streaming.compiled_runner import CompiledRunner

            return "compiled", warmed_up(CompiledRunner(exported, num_threads), image)
        # Older LiteRT lacks it, and its interface is young: it may fail in any way.
        except Exception as error:
            if name == "compiled":
                raise ValueError(
                    f"{exported.path} cannot be run as a compiled model"
                    f" ({one_line(error)}): use the interpreter."
                ) from None
            logging.getLogger(__name__).warning(
                "%s runs in the interpreter, which copies the states at each step,"
                " because it cannot be run as a compiled model: %s. A newer"
                " ai-edge-litert may run it; runner='interpreter' avoids this warning.",
                exported.path,
                one_line(error),
            )
    try:
        interpreter = make_interpreter(exported.path, num_threads=num_threads)
        loop = SignatureLoop(interpreter, exported.states, exported.step_signature)
        return "interpreter", warmed_up(loop, image)
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            f"{exported.path} cannot be run ({one_line(error)}): it is"
            " damaged, or needs a newer ai-edge-litert."
        ) from None


def _has_int16(exported):
    return any(dtype == np.int16 for _, dtype, _ in exported.states.values())


def warmed_up(runner: Runner, image: np.ndarray) -> Runner:
    """Returns a runner after a trial run.

    The first run starts more of LiteRT, which writes messages, and fails if the model
    cannot be run.
    """
    with silenced():
        if runner.step(image) is None:
            runner.classify()
    runner.reset()
    return runner


def check_threads(num_threads: int) -> None:
    """Raises a `ValueError` for an invalid number of threads."""
    is_number = isinstance(num_threads, int) and not isinstance(num_threads, bool)
    if not (is_number and 1 <= num_threads <= _MOST_THREADS):
        raise ValueError(
            f"num_threads is {num_threads!r}: it must be a whole number from 1 to"
            f" {_MOST_THREADS}."
        )
