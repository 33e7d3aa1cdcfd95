"""Behaviour of waiting for the other workers of a training."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from grw_tf.training.meeting import ended_by_signals, meet

_MEET = """
import logging, sys
from grw_tf.training.meeting import meet

logging.basicConfig()
meet(sys.argv[1], sys.argv[2:])
"""
_BUILD = """
import logging
from official.core.config_definitions import RuntimeConfig
from grw_tf.training.strategy import build_strategy

logging.basicConfig()
build_strategy(RuntimeConfig(distribution_strategy="multi_worker_mirrored"))
"""


def _free_addresses(count):
    probes = [socket.create_server(("localhost", 0)) for _ in range(count)]
    addresses = [f"localhost:{probe.getsockname()[1]}" for probe in probes]
    for probe in probes:
        probe.close()
    return addresses


def _ended(code, number, *arguments, **environment):
    """Returns how a process ends that gets a signal while it waits for workers."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=pathlib.Path(__file__).parents[2],
        env=os.environ | environment,
        # It may be ignored here, as in a process in the background.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        told = ""
        while "Waiting for the 2 workers" not in told:
            line = process.stdout.readline()
            assert line, told
            told += line
        time.sleep(0.5)
        process.send_signal(number)
        return process.wait(20)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_the_wait(number):
    assert _ended(_MEET, number, *_free_addresses(2)) == -number


@pytest.mark.slow
def test_signal_ends_a_worker_that_waits_for_the_others():
    workers = _free_addresses(2)
    task = {"type": "worker", "index": 0}
    config = json.dumps({"cluster": {"worker": workers}, "task": task})
    number = signal.SIGTERM
    assert _ended(_BUILD, number, TF_CONFIG=config) == -number


def test_workers_that_begin_one_after_the_other_meet():
    addresses = _free_addresses(3)
    servers = []

    def work(own):
        meet(own, [other for other in addresses if other != own])
        # As TensorFlow does next, so that slower workers find it.
        port = int(own.rpartition(":")[2])
        servers.append(socket.create_server(("localhost", port)))

    threads = [
        threading.Thread(target=work, args=(own,), daemon=True) for own in addresses
    ]
    for thread in threads[:2]:
        thread.start()
    time.sleep(1)
    assert not servers
    threads[2].start()
    for thread in threads:
        thread.join(20)
    assert len(servers) == 3
    for server in servers:
        server.close()


def test_one_worker_waits_for_nobody():
    meet("nohost.invalid:1", [])


def test_port_in_use_is_told():
    with socket.create_server(("", 0)) as server:
        own = f"localhost:{server.getsockname()[1]}"
        with pytest.raises(ValueError, match=f"the address '{own}', whose port cannot"):
            meet(own, ["localhost:1"])


@pytest.fixture
def usual_actions():
    """Gives Ctrl-C the action of Python, which processes in the background lack."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("usual_actions")
def test_actions_of_signals_are_put_back():
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    with ended_by_signals():
        assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL
        # As TensorFlow does.
        signal.signal(signal.SIGTERM, lambda *_: None)
    assert before == [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
