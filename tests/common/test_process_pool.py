"""Behavior of running functions in processes of their own."""

import os
import time

import pytest

from grw_tf.common.process_pool import run_parallel


def test_results_come_with_their_tasks():
    tasks = iter(range(-20, 0))
    assert dict(run_parallel(abs, tasks, workers=2)) == {-k: k for k in range(1, 21)}
    assert list(run_parallel(abs, [], workers=2)) == []


def test_few_tasks_are_taken_in_advance():
    taken = []
    tasks = (taken.append(k) or k for k in range(100))
    results = run_parallel(abs, tasks, workers=1)
    next(results)
    results.close()
    assert len(taken) <= 3


def test_results_come_in_order_if_asked():
    # The first takes longest.
    seconds = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    results = run_parallel(time.sleep, seconds, workers=2, in_order=True)
    assert [task for task, _ in results] == seconds
    results = run_parallel(abs, range(-20, 0), workers=2, in_order=True)
    assert list(results) == [(-k, k) for k in range(20, 0, -1)]


def test_workers_do_not_import_the_program(tmp_path, run_code):
    code = """
import functools, sys
from grw_tf.common.process_pool import run_parallel
with open(sys.argv[2], "a") as file:
    file.write("imported\\n")
# Without an `if __name__ == "__main__":`.
function = functools.partial(int, base=2)
print(dict(run_parallel(function, ["1", "10"], workers=2)))
"""
    program, imports = tmp_path / "program.py", tmp_path / "imports"
    program.write_text(code)
    run = "import runpy, sys; runpy.run_path(sys.argv[1], run_name='__main__')"
    done = run_code(run, program, imports)
    assert done.returncode == 0, done.stderr
    assert eval(done.stdout) == {"1": 1, "10": 2}
    assert imports.read_text() == "imported\n"


def test_error_of_a_call_is_raised():
    with pytest.raises(ValueError, match="invalid literal"):
        list(run_parallel(int, ["1", "x"], workers=1))


def test_killed_process_is_told_with_its_task():
    with pytest.raises(ChildProcessError, match="was killed, .* at one of 9: run the"):
        list(run_parallel(os._exit, [9], workers=1))
