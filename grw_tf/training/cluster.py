"""Checks what TF_CONFIG says about the workers of a training, before it begins."""

import collections
import json
import logging
import re
import socket

_EXAMPLE = (
    'TF_CONFIG=\'{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task":'
    ' {"type": "worker", "index": 0}}\''
)
# Those that train; a cluster may also name others.
_TRAINING = ("chief", "worker")
_JOBS = (*_TRAINING, "ps", "evaluator")
# A host's name, an IPv4 address, or an IPv6 address in brackets; then its port.
_ADDRESS = re.compile(
    r"(?:[\w.-]+|\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]):(\d{1,5})", re.ASCII
)


def check_cluster(config: str | None) -> int:
    """Returns the number of workers that train, with the chief, of a TF_CONFIG.

    Raises:
        ValueError: If it is not set, or does not name this worker and its cluster; in
            one line with its value and an example.
    """
    if not config or not config.strip():
        raise ValueError(
            "multi_worker_mirrored needs the environment variable TF_CONFIG, which is"
            f" not set: give each worker its own, such as {_EXAMPLE} and index 1 on"
            " host2, or choose runtime.distribution_strategy=mirrored for one machine."
        )
    try:
        return _workers(config)
    except ValueError as error:
        raise ValueError(
            f"TF_CONFIG is {config!r:.300}: {error}; expected it as {_EXAMPLE}."
        ) from None


def split_workers(config: str) -> tuple[str, list[str]]:
    """Returns this worker's address and those of the others, from a checked TF_CONFIG.

    Raises:
        ValueError: If a host cannot be found; the line names it.
    """
    content = json.loads(config)
    cluster, task = content["cluster"], content["task"]
    own = cluster[task["type"]][int(task["index"])]
    workers = [address for job in _TRAINING for address in cluster.get(job, ())]
    for address in workers:
        host, _, port = address.rpartition(":")
        try:
            socket.getaddrinfo(host.strip("[]"), int(port))
        except (OSError, UnicodeError) as error:
            raise ValueError(
                f"TF_CONFIG names the host {host!r:.80}, which cannot be found"
                f" ({error}): correct its name, or use its IP address."
            ) from None
    return own, [address for address in workers if address != own]


def warn_of_cluster(config: str | None, strategy: str) -> None:
    """Warns if TF_CONFIG names several workers and a strategy does not use them."""
    if not config or not config.strip():
        return
    try:
        workers = check_cluster(config)
    except ValueError as error:
        logging.warning(
            "runtime.distribution_strategy=%s does not use TF_CONFIG. %s",
            strategy,
            error,
        )
        return
    if workers > 1:
        logging.warning(
            "TF_CONFIG names %d workers, and runtime.distribution_strategy=%s trains on"
            " this machine alone, as would each of them: choose multi_worker_mirrored,"
            " or unset TF_CONFIG. It is %.300r.",
            workers,
            strategy,
            config,
        )


def _workers(config):
    try:
        content = json.loads(config)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not valid JSON ({error})") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    content = _mapping(content, "it")
    cluster = _mapping(content.get("cluster"), "its cluster")
    _check_jobs(cluster)
    task = _mapping(content.get("task"), "its task")
    kind, index = task.get("type"), task.get("index")
    if kind not in _TRAINING:
        raise ValueError(f"its task type is {kind!r:.60}, not one that trains")
    if kind not in cluster:
        raise ValueError(
            f"its task type is {kind!r}, and its cluster has {', '.join(cluster)}"
        )
    count = len(cluster[kind])
    # TensorFlow accepts both.
    number = int(index) if isinstance(index, str) and index.isdecimal() else index
    if type(number) is not int or not 0 <= number < count:
        raise ValueError(
            f"its task index is {index!r:.60}, and its cluster has {count} of type"
            f" {kind}, numbered from 0"
        )
    return sum(len(cluster.get(job, ())) for job in _TRAINING)


def _check_jobs(cluster):
    for job, addresses in cluster.items():
        if job not in _JOBS:
            raise ValueError(
                f"its cluster has {job!r:.60}, expected {' or '.join(_TRAINING)}"
            )
        if not isinstance(addresses, list) or not addresses:
            raise ValueError(f"its cluster's {job} is not a list of addresses")
        for address in addresses:
            if not _is_address(address):
                raise ValueError(
                    f"its cluster's {job} has {address!r:.60}, which is not host:port"
                )
    if len(cluster.get("chief", ())) > 1:
        raise ValueError("its cluster has more than one chief")
    if not any(job in cluster for job in _TRAINING):
        raise ValueError("its cluster has no worker")
    # Host names ignore case.
    counts = collections.Counter(a.lower() for hosts in cluster.values() for a in hosts)
    address, count = counts.most_common(1)[0]
    if count > 1:
        raise ValueError(f"its cluster has {address!r:.60} twice")


def _is_address(address):
    if not isinstance(address, str):
        return False
    found = _ADDRESS.fullmatch(address)
    # With leading zeros, one address could occur twice.
    return bool(found) and found[1][0] != "0" and int(found[1]) < 2**16


def _mapping(value, what):
    if not isinstance(value, dict) or not value:
        given = "missing" if value is None else f"{value!r:.60}"
        raise ValueError(f"{what} is {given}, expected a mapping in braces")
    return value
