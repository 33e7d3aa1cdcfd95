"""Tests of how config files are found: by path, and shipped ones by name."""

import pytest

from grw_tf.training.experiments.config_files import (
    config_path,
    configs_folder,
    shipped_configs,
)
from grw_tf.training.experiments.parsing import read_yaml


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Another folder than the project's."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("file", ["own_clips", "configs/own_clips.yaml"])
def test_shipped_config_is_found_from_any_folder(file):
    shipped = configs_folder() / "own_clips.yaml"
    assert config_path(file) == str(shipped)
    assert read_yaml(file) == read_yaml(str(shipped))


@pytest.mark.parametrize("file", ["own_clips", "configs/own_clips.yaml"])
def test_file_that_exists_is_taken_before_a_shipped_one(file, elsewhere):
    path = elsewhere / file
    path.parent.mkdir(exist_ok=True)
    path.write_text("task: {seed: 7}")
    assert config_path(file) == file
    assert read_yaml(file) == {"task": {"seed": 7}}


def test_folder_of_the_name_hides_no_config(elsewhere):
    (elsewhere / "own_clips").mkdir()
    assert config_path("own_clips") == str(shipped_configs()["own_clips"])


def test_name_of_no_config_is_refused_with_the_nearest_and_the_list():
    with pytest.raises(ValueError, match="'own_clip', nor a shipped") as refused:
        config_path("own_clip")
    told = str(refused.value)
    assert "did you mean 'own_clips'?" in told
    assert all(name in told for name in shipped_configs())


@pytest.mark.parametrize("file", ["mine.yaml", "configs/mine.yaml", "other/grw.yaml"])
def test_path_that_does_not_exist_stays_as_it_is(file):
    with pytest.raises(ValueError, match=f"There is no config file '{file}'"):
        read_yaml(file)
