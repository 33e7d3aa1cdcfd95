"""Tests of what a comparison on a folder of videos is run with."""

import functools
import json

import pytest
from drawn_videos import write_class_folders
from official.core.train_utils import ParseConfigOptions

from grw_tf.comparison.own_clips import own_clips_settings
from grw_tf.training.experiments.config_files import configs_folder
from grw_tf.training.experiments.parsing import parse_experiment


@pytest.fixture
def folder(tmp_path):
    return write_class_folders(tmp_path / "clips", train=4, test=1)


@pytest.fixture
def settings_of(folder, tmp_path):
    """A function that returns the settings, of which some may be given."""
    numbers = {"frames": 6, "fps": 10.0, "size": 32, "epochs": 3, "batch_size": 4}
    records = tmp_path / "records"
    return functools.partial(own_clips_settings, str(folder), records, **numbers)


def test_settings_are_those_of_the_folder_and_train(settings_of, tmp_path, capsys):
    settings, test_records = settings_of()
    assert "train" in capsys.readouterr().out
    assert test_records == f"{tmp_path}/records/test-*.tfrecord"
    params = parse_experiment(
        ParseConfigOptions(
            experiment="movinet_a0_stream",
            config_file=[str(configs_folder() / "own_clips.yaml")],
            params_override=json.dumps(settings),
        )
    )
    model = params.task.model
    assert (model.num_classes, model.frames, model.size) == (2, 6, 32)
    assert params.trainer.train_steps == 6
    # Random weights have nothing to keep.
    assert not params.task.init_checkpoint and not params.task.freeze_batch_norm


def test_a_checkpoint_is_fine_tuned_step_by_step(settings_of):
    task = settings_of(init_checkpoint="official", epochs=10)[0]["task"]
    assert (task["init_checkpoint"], task["unfreeze_step"]) == ("official", 2)
    assert task["freeze_batch_norm"]


def test_class_without_test_clips_is_named_before_training(settings_of, folder):
    (folder / "test" / "red" / "0.mp4").unlink()
    with pytest.raises(ValueError, match=r"has no test videos of \['red'\]"):
        settings_of()


def test_fewer_clips_than_a_batch_are_refused(settings_of):
    with pytest.raises(ValueError, match="8 training videos, fewer than a batch of 9"):
        settings_of(epochs=1, batch_size=9)
    with pytest.raises(ValueError, match="epochs is 0"):
        settings_of(epochs=0)
