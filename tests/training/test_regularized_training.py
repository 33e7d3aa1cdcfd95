"""Tests of trainings with RMS and ShakeDrop, by the trainer."""

import dataclasses

import numpy as np
import pytest
from training_runs import options, values

from grw_tf.models import BackboneConfig
from grw_tf.training.driver import run_experiment

RATE = {"cosine": {"decay_steps": 4}}


def _train(records, folder, model_id, steps, **task):
    backbone = dataclasses.asdict(BackboneConfig.of_family(model_id))
    regularization = {"methods": ["rms", "shake_drop"]}
    override = {
        "task": {"model": {"backbone": backbone, "regularization": regularization}}
        | task,
        "trainer": {
            "train_steps": steps,
            "steps_per_loop": 2,
            "summary_interval": 2,
            "checkpoint_interval": 2,
            "validation_interval": 4,
            "optimizer_config": {"learning_rate": RATE, "head_learning_rate": RATE},
        },
    }
    run_experiment(options(records, folder, override, mode="train"))
    return values(folder)


def _same(left, right):
    assert left.keys() == right.keys()
    return [key for key in left if np.array_equal(left[key], right[key])]


@pytest.mark.slow
@pytest.mark.parametrize("model_id", ["slowonly_nano", "mobilenet_v3_small", "nano"])
def test_interrupted_training_draws_and_ends_the_same(
    colored_records, tmp_path, model_id
):
    whole = _train(colored_records, tmp_path / "whole", model_id, 4)
    first = _train(colored_records, tmp_path / "parts", model_id, 2)
    ended = _train(colored_records, tmp_path / "parts", model_id, 4)
    assert len(_same(ended, whole)) == len(whole)
    assert len(_same(first, whole)) < len(whole)


@pytest.mark.slow
@pytest.mark.parametrize("frozen", ["freeze_backbone", "freeze_batch_norm"])
def test_frozen_backbone_trains_under_regularizers(colored_records, tmp_path, frozen):
    before = _train(colored_records, tmp_path, "slowonly_nano", 2, **{frozen: True})
    after = _train(colored_records, tmp_path, "slowonly_nano", 4, **{frozen: True})
    kept = "" if frozen == "freeze_backbone" else "moving_mean"
    weights = [
        key
        for key in before
        if key.startswith("backbone/") and kept in key and "SLOT" not in key
    ]
    assert weights and set(weights) <= set(_same(before, after))
    assert len(_same(before, after)) < len(before)
