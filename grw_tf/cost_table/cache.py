"""Keeps models' costs in the user's cache."""

import dataclasses
import functools
import hashlib
import importlib.metadata
import json
import pathlib

from absl import logging

import grw_tf
from grw_tf.common.replacing import replacing
from grw_tf.cost_table.measure import ModelCost, measure
from grw_tf.models import ModelConfig
from grw_tf.weights.download import cache_folder

_PACKAGES = ("tensorflow", "tf_keras", "tf-models-official")
_SOURCES = ("layers", "models", "cost_table/measure.py")


def known_cost(config: ModelConfig) -> ModelCost | None:
    """Returns a model's cost if this code has counted it before, else None."""
    try:
        return ModelCost(**json.loads(_file(config).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def cost_of(config: ModelConfig) -> ModelCost:
    """Returns a model's cost, which is counted unless it is known."""
    known = known_cost(config)
    if known:
        return known
    cost = measure(config)
    file = _file(config)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as unfinished:
            unfinished.write_text(json.dumps(dataclasses.asdict(cost), indent=1))
    except OSError as error:
        logging.warning("The counted cost cannot be kept in the cache: %s", error)
    return cost


def _file(config):
    digest = hashlib.sha256(f"{_versions()}{config.to_json()}".encode())
    return cache_folder() / "model_costs" / f"{digest.hexdigest()[:24]}.json"


@functools.cache
def _versions():
    """Returns a hash of everything that a count depends on, except the config."""
    digest = hashlib.sha256()
    for package in _PACKAGES:
        digest.update(f"{package} {importlib.metadata.version(package)}".encode())
    root = pathlib.Path(grw_tf.__file__).parent
    for source in (root / name for name in _SOURCES):
        for file in sorted(source.rglob("*.py")) if source.is_dir() else [source]:
            digest.update(file.read_bytes())
    return digest.hexdigest()
