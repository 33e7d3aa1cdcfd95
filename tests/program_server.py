"""Runs programs in forks of one process that has imported TensorFlow.

Each program would otherwise spend some ten seconds on the same imports. A fork is a
process of its own: it parses its own flags and ends with its own status.

Lines of JSON come in, each with a module, its flags, the environment and the files that
the output goes to. A line with the exit status goes out when the program has ended.
"""

import json
import os
import runpy
import sys


def _preload() -> None:
    import official.vision.configs  # noqa: F401
    import tf_keras  # noqa: F401

    import grw_tf.evaluation.evaluate
    import grw_tf.training.trainer  # noqa: F401


def _run(module: str, flags: list[str], environment: dict, out: str, err: str) -> None:
    for path, descriptor in ((os.devnull, 0), (out, 1), (err, 2)):
        opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        os.dup2(opened, descriptor)
    os.environ.clear()
    os.environ.update(environment)
    # `python -m` puts the folder that it starts in there.
    sys.path[0] = os.getcwd()
    sys.argv = [module, *flags]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _serve() -> None:
    _preload()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            return _run(**json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    _serve()
