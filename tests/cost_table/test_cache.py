"""Tests of keeping what was counted."""

import pytest

from grw_tf.cost_table import cache as costs
from grw_tf.cost_table.measure import ModelCost
from grw_tf.models import ModelConfig

_COST = ModelCost(1, 2, 3, 4, 5, 6, 7.5, 8, "add", 9, 10, 11)
_CONFIG = ModelConfig(frames=7)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache; counting gives `_COST`, at the first time."""
    monkeypatch.setenv("GRW_TF_CACHE", str(tmp_path / "cache"))
    counted = iter([_COST])
    monkeypatch.setattr(costs, "measure", lambda config: next(counted))
    return tmp_path / "cache"


def test_model_is_counted_once(cache):
    assert costs.known_cost(_CONFIG) is None
    assert costs.cost_of(_CONFIG) == _COST
    assert costs.cost_of(_CONFIG) == _COST
    assert costs.known_cost(_CONFIG) == _COST
    assert costs.known_cost(ModelConfig(frames=8)) is None


def test_other_sources_count_again(cache, monkeypatch):
    costs.cost_of(_CONFIG)
    monkeypatch.setattr(costs, "_versions", lambda: "other")
    assert costs.known_cost(_CONFIG) is None


@pytest.mark.parametrize("content", ["", "{", "{}", '{"frames": 1}', "[]"])
def test_corrupt_file_is_counted_again(cache, content):
    costs.cost_of(_CONFIG)
    (file,) = (cache / "model_costs").iterdir()
    file.write_text(content)
    assert costs.known_cost(_CONFIG) is None


def test_cache_that_cannot_be_written_to_is_no_error(cache, caplog):
    cache.write_text("a file")
    assert costs.cost_of(_CONFIG) == _COST
    assert "cannot be kept" in caplog.text
