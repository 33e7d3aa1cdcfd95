"""Checks of the Model Garden's trainer with two rates, on one and on two devices."""

import dataclasses
import gc

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from official.core import base_task, base_trainer, config_definitions

from grw_tf.training.optimization.two_rates import (
    TwoRatesConfig,
    backbone_or_head,
    build_optimizer,
    grouped,
)

INPUTS = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
RATES = {
    "learning_rate": {
        "type": "cosine",
        "cosine": {"initial_learning_rate": 0.1, "decay_steps": 20},
    },
    "head_learning_rate": {"type": "constant", "constant": {"learning_rate": 0.3}},
}
MOMENTUM = {"type": "sgd", "sgd": {"momentum": 0.9}}
CASES = {
    "sgd": {"optimizer": MOMENTUM, "clip_norm": 0.5},
    "adamw": {
        "optimizer": {
            "type": "adamw",
            "adamw": {"weight_decay_rate": 0.1, "epsilon": 0.01},
        },
        "accumulation_steps": 2,
    },
    "average": {
        "optimizer": MOMENTUM,
        "clip_norm": 0.5,
        "accumulation_steps": 2,
        "ema": {"average_decay": 0.5},
    },
    "float16": {"optimizer": MOMENTUM, "accumulation_steps": 2},
}


@pytest.fixture(scope="module", autouse=True)
def _two_devices():
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * 2
    )


@pytest.fixture(autouse=True)
def _freed():
    """Frees trainers at once: in the middle of a trace it can take 20 s."""
    yield
    gc.collect()


class _Model(tf_keras.Model):
    def __init__(self):
        super().__init__()
        self.backbone = tf_keras.layers.Dense(3, activation="tanh")
        self.head = tf_keras.layers.Dense(2)

    def call(self, inputs):
        return self.head(self.backbone(inputs))


@dataclasses.dataclass
class _TaskConfig(config_definitions.TaskConfig):
    train_data: config_definitions.DataConfig = dataclasses.field(
        default_factory=config_definitions.DataConfig
    )
    validation_data: config_definitions.DataConfig = dataclasses.field(
        default_factory=config_definitions.DataConfig
    )


class _Task(base_task.Task):
    overflow = False

    def build_model(self):
        tf_keras.utils.set_random_seed(0)
        model = _Model()
        model(INPUTS)
        self._group_of = backbone_or_head(model)
        return model

    def create_optimizer(self, optimizer_config, runtime_config=None, dp_config=None):
        return build_optimizer(
            optimizer_config, runtime_config, dp_config, self._group_of
        )

    def build_inputs(self, params, input_context=None):
        inputs = np.concatenate([INPUTS, INPUTS])
        if self.overflow:
            # In one example of every second batch, the second replica's if there is.
            inputs[-1] = np.nan
        size = len(INPUTS) // input_context.num_replicas_in_sync
        return tf.data.Dataset.from_tensor_slices(inputs).repeat(8).batch(size)

    def build_losses(self, labels, model_outputs, aux_losses=None):
        return tf.reduce_mean(tf.square(model_outputs))


def _trainer(replicas, case, overflow=False):
    strategy = tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(replicas)])
    params = config_definitions.ExperimentConfig(
        task=_TaskConfig(),
        trainer=config_definitions.TrainerConfig(
            optimizer_config=TwoRatesConfig(RATES | CASES[case])
        ),
        runtime=config_definitions.RuntimeConfig(
            mixed_precision_dtype="float16" if case == "float16" else None
        ),
    )
    params.lock()
    task = _Task(params.task)
    task.overflow = overflow
    with strategy.scope():
        model = task.build_model()
        optimizer = task.create_optimizer(
            params.trainer.optimizer_config, params.runtime
        )
        return base_trainer.Trainer(params, task, model, optimizer)


def _run(trainer, method, steps):
    with trainer.strategy.scope():
        return getattr(trainer, method)(tf.constant(steps))


def _weights(trainer):
    return [weight.numpy() for weight in trainer.model.weights]


def _state(trainer):
    """Returns the weights, and all that the optimizer keeps of each."""
    optimizers = [trainer.optimizer, *grouped(trainer.optimizer).optimizers.values()]
    values = [w.numpy() for o in optimizers for w in o.weights] + _weights(trainer)
    if trainer.config.trainer.optimizer_config.ema:
        values += [w.numpy() for w in trainer.optimizer._average_weights]
    return sorted(values, key=lambda value: (value.shape, value.tolist()))


def _assert_near(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_two_replicas_train_as_one(case):
    one, two = _trainer(1, case), _trainer(2, case)
    start = _weights(one)
    for trainer in (one, two):
        logs = _run(trainer, "train", 6)
        rates = grouped(trainer.optimizer).learning_rates()
        assert logs["learning_rate"] == rates["backbone"]
        np.testing.assert_allclose(rates["backbone"], 0.05 * (1 + np.cos(0.3 * np.pi)))
        np.testing.assert_allclose(rates["head"], 0.3)
        assert trainer.optimizer.iterations.numpy() == 6
        assert trainer.global_step.numpy() == 6
    assert all((a != b).all() for a, b in zip(_weights(one), start, strict=True))
    _assert_near(_weights(two), _weights(one))


@pytest.mark.parametrize("case", ["adamw", "average", "float16"])
def test_resumed_trainer_goes_on_to_the_same_bits(case, tmp_path):
    whole = _trainer(2, case)
    _run(whole, "train", 3)
    path = whole.checkpoint.write(str(tmp_path / "checkpoint"))
    _run(whole, "train", 4)

    resumed = _trainer(2, case)
    status = resumed.checkpoint.read(path)
    _run(resumed, "train", 4)
    status.assert_consumed()
    for one, other in zip(_state(resumed), _state(whole), strict=True):
        np.testing.assert_array_equal(one, other)


def test_evaluation_is_of_the_moving_average():
    trainer = _trainer(2, "average")
    _run(trainer, "train", 5)
    trained = _weights(trainer)
    averages = [w.numpy() for w in trainer.optimizer._average_weights]
    found = _run(trainer, "evaluate", 1)["validation_loss"]
    _assert_near(_weights(trainer), trained)
    losses = []
    for weights in (averages, trained):
        trainer.model.set_weights(weights)
        losses.append(tf.reduce_mean(tf.square(trainer.model(INPUTS))))
    np.testing.assert_allclose(found, losses[0], rtol=1e-5)
    assert abs(found - losses[1]) > 1e-3 * found


def test_overflow_on_one_replica_leaves_out_the_step_on_all():
    one, two = (_trainer(replicas, "float16", overflow=True) for replicas in (1, 2))
    for trainer in (one, two):
        start = _weights(trainer)
        scale = trainer.optimizer.loss_scale.numpy()
        _run(trainer, "train", 2)
        assert trainer.optimizer.loss_scale.numpy() == scale / 2
        np.testing.assert_array_equal(_weights(trainer)[0], start[0])
        _run(trainer, "train", 1)
        for before, after in zip(start, _weights(trainer), strict=True):
            assert (before != after).all() and np.isfinite(after).all()
        assert trainer.optimizer.iterations.numpy() == 3
    _assert_near(_weights(two), _weights(one))
