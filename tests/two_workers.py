"""Trainings of two workers on this machine."""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import time

# A quiet machine needs a tenth of it.
PATIENCE = 600


@contextlib.contextmanager
def two_workers(command_line, logs):
    """Starts two workers on this machine; what still runs at the end is killed."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(2)]
        for free in sockets:
            free.bind(("127.0.0.1", 0))
        hosts = [f"127.0.0.1:{free.getsockname()[1]}" for free in sockets]
    workers = []
    try:
        for index in range(2):
            task = {"type": "worker", "index": index}
            cluster = {"cluster": {"worker": hosts}, "task": task}
            with open(logs / f"worker{index}.txt", "w") as log:
                worker = subprocess.Popen(
                    command_line,
                    cwd=pathlib.Path(__file__).parents[1],
                    env=os.environ | {"TF_CONFIG": json.dumps(cluster)},
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            workers.append(worker)
        yield workers
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


def wait_for(path, workers, logs):
    """Waits until a file is there that running workers write."""
    began = time.monotonic()
    while not path.exists():
        assert time.monotonic() - began < PATIENCE
        for index, worker in enumerate(workers):
            assert worker.poll() is None, (logs / f"worker{index}.txt").read_text()
        time.sleep(0.1)


def wait_until_done(workers, logs):
    """Waits until workers have ended well."""
    for index, worker in enumerate(workers):
        status = worker.wait(PATIENCE)
        assert status == 0, (logs / f"worker{index}.txt").read_text()
