"""Runs a function in a pool of processes and leaves none of them behind."""

import contextlib
import itertools
import multiprocessing
import os
import sys
import types
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import cv2

from grw_tf.common.worker_process import end_with_parent


def run_parallel(
    function: Callable[[Any], Any],
    tasks: Iterable[Any],
    workers: int,
    in_order: bool = False,
) -> Generator[tuple[Any, Any]]:
    """Yields (task, `function(task)`) as the calls end, in any order.

    Closing the iterator waits only for the calls that have begun.

    Args:
        function: A function of a module other than the program's own, or a
            `functools.partial` of one.
        tasks: Arguments of the function. Only a few are taken in advance.
        workers: Processes. 0 is one per CPU.
        in_order: Whether to yield in the order of the tasks instead.

    Raises:
        ChildProcessError: If a process was killed.
        Exception: Whatever `function` raises.
    """
    workers = workers or os.cpu_count() or 1
    # A fork of this process would copy the locks of its threads.
    context = multiprocessing.get_context("forkserver")
    # Imported once for all processes.
    context.set_forkserver_preload([getattr(function, "func", function).__module__])
    pool = ProcessPoolExecutor(workers, context, _begin)
    tasks = iter(tasks)
    running: dict[Future, Any] = {}
    try:
        while True:
            for task in itertools.islice(tasks, 2 * workers - len(running)):
                with _without_program():
                    running[pool.submit(function, task)] = task
            if not running:
                return
            first = [next(iter(running))]
            ended = (
                first if in_order else wait(running, return_when=FIRST_COMPLETED).done
            )
            for future in ended:
                result = future.result()
                yield running.pop(future), result
    except BrokenProcessPool:
        begun = ", ".join(map(str, itertools.islice(running.values(), workers)))
        raise ChildProcessError(
            "A worker process was killed, perhaps for lack of memory, at one of"
            f" {begun}: run the same command again, with fewer --workers, to continue"
            " from here."
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _without_program() -> Iterator[None]:
    """Keeps new processes from importing the program, and all that it imports."""
    program = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = program


def _begin():
    end_with_parent()
    cv2.setNumThreads(1)
