"""Tests of training in mixed precision, whole, from records to an evaluation."""

import functools

import numpy as np
import pytest
import tf_keras
from training_runs import options, scalars, values

from grw_tf.evaluation.evaluate import EvaluationConfig, evaluate
from grw_tf.models import HeadConfig, SmoothingConfig
from grw_tf.training.driver import run_experiment
from grw_tf.training.precision import precision

# Of the loss of the first step, against float32's: some roundings of 2^-11 and 2^-8.
TOLERANCE = {"float16": 0.005, "bfloat16": 0.05}

each_dtype = pytest.mark.parametrize("dtype", ["bfloat16", "float16"])


@pytest.fixture(scope="module")
def trained(colored_records, tmp_path_factory):
    """A function that trains in a type of numbers, and returns the folder."""

    @functools.cache
    def train(dtype):
        folder = tmp_path_factory.mktemp(dtype)
        trainer = {"train_steps": 10, "steps_per_loop": 1, "summary_interval": 1}
        if dtype == "float16":
            trainer["optimizer_config"] = {"ema": None}
        override = {"runtime": {"mixed_precision_dtype": dtype}, "trainer": trainer}
        run_experiment(options(colored_records, folder, override, mode="train"))
        return folder

    return train


@pytest.mark.slow
@each_dtype
def test_losses_are_those_of_float32(trained, dtype):
    expected, found = (scalars(trained(d), "loss") for d in ("float32", dtype))
    assert {step for _, _, step in found} == set(range(1, 11))
    assert np.isfinite(list(found.values())).all()
    for name in ("training_loss", "class_loss", "grw_loss"):
        key = ("train", name, 1)
        assert found[key] == pytest.approx(expected[key], rel=TOLERANCE[dtype])
        # Not equal: it was computed in that type.
        assert found[key] != expected[key]


@pytest.mark.slow
@each_dtype
def test_checkpoints_are_in_float32(trained, dtype):
    numbers = values(trained(dtype)).values()
    assert {number.dtype.name for number in numbers} == {"float32", "int64"}


@pytest.mark.slow
def test_loss_scaling_leaves_no_step_out(trained):
    found = values(trained("float16"))
    for group in ("backbone", "head"):
        key = f"optimizer/group_{group}/iter/.ATTRIBUTES/VARIABLE_VALUE"
        assert found[key] == 10


@pytest.mark.slow
@each_dtype
def test_trained_checkpoint_evaluates(trained, colored_records, tmp_path, dtype):
    results = evaluate(
        EvaluationConfig(
            checkpoint=str(trained(dtype)),
            records=f"{colored_records}/test-*",
            output_dir=str(tmp_path),
        )
    )
    assert 0 <= results["top_1"] <= 1


@pytest.mark.slow
def test_training_leaves_the_policy_as_it_was(trained):
    trained("bfloat16")
    assert tf_keras.mixed_precision.global_policy().name == "float32"


def test_smoothing_is_computed_in_float32(nano, clip):
    head = HeadConfig(type="transformer", embed_dim=16, num_heads=2, mlp_dim=32)
    smoothing = SmoothingConfig(layers=("block0_layer0", "final"), window=4)
    with precision("float16"):
        model = nano(fresh=True, head=head, smoothing=smoothing)
    model(clip, training=True)
    assert model.compute_dtype == "float16"
    assert {loss.dtype.name for loss in model.losses} == {"float32"}


def test_unknown_type_is_refused():
    with pytest.raises(ValueError, match="'float8': choose one of float32, bfloat16"):
        with precision("float8"):
            pass
