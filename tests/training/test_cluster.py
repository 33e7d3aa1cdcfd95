"""Behaviour of checking TF_CONFIG."""

import json
import re

import pytest
from official.core.config_definitions import RuntimeConfig

from grw_tf.training.cluster import check_cluster, split_workers, warn_of_cluster
from grw_tf.training.strategy import build_strategy

TWO = {"worker": ["a:1", "b:2"]}


def _config(cluster=TWO, kind="worker", index=0, **more):
    task = {"type": kind, "index": index}
    return json.dumps({"cluster": cluster, "task": task} | more)


@pytest.mark.parametrize(
    "config, workers",
    [
        (_config(), 2),
        (_config(index="1"), 2),
        (_config({"chief": ["a:1"], "worker": ["b:2"]}, "chief"), 2),
        (_config({"worker": ["a:1"], "evaluator": ["b:2"]}), 1),
        (_config({"worker": ["[::1]:80"]}, environment="cloud"), 1),
    ],
)
def test_right_clusters_are_counted(config, workers):
    assert check_cluster(config) == workers


WRONG = {
    "no JSON": ("{cluster: {worker: [a:1]}}", "it is not valid JSON"),
    "deep": ("[" * 100_000, "nested too deeply"),
    "no object": ("[]", "it is .*expected a mapping"),
    "number": ("3", "it is 3, expected a mapping"),
    "no cluster": (json.dumps({"task": {"type": "worker"}}), "its cluster is missing"),
    "empty cluster": (_config({}), r"its cluster is \{\}"),
    "list as cluster": (_config(["a:1"]), r"its cluster is \['a:1'\]"),
    "no task": (json.dumps({"cluster": TWO}), "its task is missing"),
    "no type": (json.dumps({"cluster": TWO, "task": {"index": 0}}), "type is None"),
    "type elsewhere": (_config(kind="chief"), "'chief', and its cluster has worker"),
    "type that trains not": (_config(kind="ps"), "'ps', not one that trains"),
    "index too high": (_config(index=2), "index is 2, and its cluster has 2 of type"),
    "negative index": (_config(index=-1), "index is -1"),
    "no index": (_config(index=None), "index is None"),
    "true as index": (_config(index=True), "index is True"),
    "no workers": (_config({"worker": []}), "its cluster's worker is not a list"),
    "text as workers": (
        _config({"worker": "a:1"}),
        "its cluster's worker is not a list",
    ),
    "no port": (_config({"worker": ["a"]}), "has 'a', which is not host:port"),
    **{
        repr(address): (
            _config({"worker": [address]}),
            re.escape(f"has {address!r}, which is not host:port"),
        )
        for address in (
            *("a:99999", "a:0", "a:00001", "a:-1", "a:1.0", "a:", ":1", "a:1 "),
            *("a b:1", " a:1", "a\t:1", "a:\u0661", "grpc://a:1", "a/b:1", "a:1\n"),
            *("::1:2222", "[::1]", "[a]b:1", "[host]:1"),
        )
    },
    "twice": (_config({"worker": ["a:1", "a:1"]}), "has 'a:1' twice"),
    "twice in other letters": (_config({"worker": ["A:1", "a:1"]}), "'a:1' twice"),
    "two chiefs": (_config({"chief": ["a:1", "b:1"]}, "chief"), "more than one chief"),
    "unknown job": (_config({"wroker": ["a:1"]}), "has 'wroker', expected"),
    "none that trains": (_config({"ps": ["a:1"]}, "ps"), "its cluster has no worker"),
}


@pytest.mark.parametrize("config, message", WRONG.values(), ids=WRONG)
def test_wrong_cluster_is_told_in_one_line(monkeypatch, config, message):
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(ValueError, match=message) as refused:
        build_strategy(RuntimeConfig(distribution_strategy="multi_worker_mirrored"))
    told = str(refused.value)
    assert told.startswith(f"TF_CONFIG is {config[:20]!r}"[:-1]) and told.isprintable()
    assert 'TF_CONFIG=\'{"cluster": ' in told


@pytest.mark.parametrize("config", [None, "", " "])
def test_several_workers_need_a_cluster(monkeypatch, config):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if config is not None:
        monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(ValueError, match="variable TF_CONFIG, which is not set") as no:
        build_strategy(RuntimeConfig(distribution_strategy="multi_worker_mirrored"))
    assert str(no.value).isprintable()


def test_cluster_that_is_not_used_is_told(monkeypatch, caplog):
    monkeypatch.setenv("TF_CONFIG", _config())
    build_strategy(RuntimeConfig(distribution_strategy="one_device"))
    assert "TF_CONFIG names 2 workers, and runtime.distribution_strategy=one_d" in (
        caplog.text
    )
    caplog.clear()
    warn_of_cluster("{", "mirrored")
    assert (
        "=mirrored does not use TF_CONFIG. TF_CONFIG is '{': it is not" in caplog.text
    )
    caplog.clear()
    warn_of_cluster(None, "mirrored")
    warn_of_cluster(_config({"worker": ["a:1"]}), "mirrored")
    assert not caplog.text


def test_host_that_does_not_exist_is_told_before_any_wait(monkeypatch):
    cluster = {"worker": ["127.0.0.1:2222", "nohost.invalid:2222"]}
    monkeypatch.setenv("TF_CONFIG", _config(cluster))
    with pytest.raises(ValueError, match="names the host 'nohost.invalid'") as refused:
        build_strategy(RuntimeConfig(distribution_strategy="multi_worker_mirrored"))
    assert str(refused.value).isprintable()


def test_hosts_by_name_and_by_address_are_found():
    workers = ["localhost:1", "127.0.0.1:2", "[::1]:3"]
    assert split_workers(_config({"worker": workers}, index="1")) == (
        workers[1],
        [workers[0], workers[2]],
    )
