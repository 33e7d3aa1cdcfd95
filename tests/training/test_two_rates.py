"""Tests of building optimizers with two learning rates."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from official.core.config_definitions import RuntimeConfig

from grw_tf.training.optimization.moving_average import MovingAverage
from grw_tf.training.optimization.two_rates import (
    OPTIMIZERS,
    TwoRatesConfig,
    backbone_or_head,
    build_optimizer,
    grouped,
)

FLOAT16 = RuntimeConfig(mixed_precision_dtype="float16")


def _constant(rate):
    return {"type": "constant", "constant": {"learning_rate": rate}}


def _linear(steps):
    return {"type": "linear", "linear": {"warmup_steps": steps}}


def _config(kind="sgd", optimizer=(), **fields):
    return TwoRatesConfig(
        {
            "optimizer": {"type": kind, kind: dict(optimizer)},
            "learning_rate": _constant(0.1),
            **fields,
        }
    )


def _rates_at(step, **fields):
    """Returns the rates of the backbone and the head."""
    optimizer = grouped(build_optimizer(_config(**fields)))
    optimizer.iterations.assign(step)
    return [round(float(rate), 6) for rate in optimizer.learning_rates().values()]


def test_one_rate_is_of_both():
    assert _rates_at(5) == [0.1, 0.1]
    assert _rates_at(5, warmup=_linear(10)) == [0.05, 0.05]


def test_head_has_its_own_rate_and_warmup():
    head = {"head_learning_rate": _constant(0.3)}
    assert _rates_at(5, **head) == [0.1, 0.3]
    assert _rates_at(5, **head, warmup=_linear(10)) == [0.05, 0.15]
    assert _rates_at(5, **head, head_warmup=_linear(20)) == [0.1, 0.075]
    warmups = {"warmup": _linear(10), "head_warmup": _linear(0)}
    assert _rates_at(0, **head, **warmups) == [0.0, 0.3]


def test_config_is_overridden_as_the_model_gardens():
    config = _config()
    config.override({"head_learning_rate": _constant(0.3), "clip_norm": 2.0})
    config.lock()
    optimizer = build_optimizer(config)
    np.testing.assert_allclose(optimizer.learning_rates()["head"], 0.3)
    assert optimizer.global_clipnorm == 2.0


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_each_type_of_optimizer_trains(kind):
    optimizer = build_optimizer(_config(kind), group_of=lambda v: "head")
    variable = tf.Variable([1.0, 2.0])
    optimizer.apply_gradients([(tf.ones(2), variable)])
    assert (variable.numpy() < [1.0, 2.0]).all()


def test_both_groups_have_the_optimizers_settings():
    optimizers = build_optimizer(
        _config("adamw", {"weight_decay_rate": 0.2, "beta_1": 0.7})
    ).optimizers
    assert list(optimizers) == ["backbone", "head"]
    for optimizer in optimizers.values():
        assert optimizer.weight_decay_rate == 0.2
        np.testing.assert_allclose(optimizer.beta_1, 0.7)


@pytest.mark.parametrize(
    "kind,optimizer,clip_norm,expected",
    [
        ("sgd", {}, None, None),
        ("sgd", {}, 0.5, 0.5),
        ("sgd", {"global_clipnorm": 2.0}, None, 2.0),
        ("sgd", {"global_clipnorm": 2.0}, 3.0, 3.0),
        ("adamw", {}, None, 1.0),
        ("adamw", {"gradient_clip_norm": 0.0}, None, None),
        ("adamw", {"gradient_clip_norm": 4.0, "global_clipnorm": 2.0}, None, 2.0),
        ("adamw", {}, 5.0, 5.0),
        ("adamw", {}, 0, None),
    ],
)
def test_clipping_is_of_both_together(kind, optimizer, clip_norm, expected):
    built = build_optimizer(_config(kind, optimizer, clip_norm=clip_norm))
    assert built.global_clipnorm == expected


def test_clipping_of_each_variable_is_kept():
    assert build_optimizer(_config(optimizer={"clipvalue": 0.2})).clipvalue == 0.2
    assert build_optimizer(_config(optimizer={"clipnorm": 0.3})).clipnorm == 0.3


def test_steps_are_accumulated():
    optimizer = build_optimizer(
        _config(accumulation_steps=2), group_of=lambda v: "head"
    )
    variable = tf.Variable(1.0)
    seen = []
    for gradient in (1.0, 3.0):
        optimizer.apply_gradients([(tf.constant(gradient), variable)])
        seen.append(variable.numpy())
    np.testing.assert_allclose(seen, [1.0, 0.8])


def test_moving_average_has_the_model_gardens_settings():
    optimizer = build_optimizer(_config(ema={"average_decay": 0.7, "start_step": 3}))
    assert type(optimizer) is MovingAverage
    assert optimizer._average_decay == 0.7 and optimizer._start_step == 3
    np.testing.assert_allclose(optimizer.learning_rate, 0.1)


def test_float16_scales_the_loss():
    dynamic = build_optimizer(_config(), FLOAT16)
    fixed = build_optimizer(_config(), FLOAT16.replace(loss_scale=128.0))
    assert dynamic.dynamic and not fixed.dynamic
    assert fixed.loss_scale == 128.0
    bfloat16 = RuntimeConfig(mixed_precision_dtype="bfloat16")
    built = build_optimizer(_config(ema={}), bfloat16)
    assert type(built) is MovingAverage


def test_what_does_not_train_is_refused():
    with pytest.raises(ValueError, match="float16: set runtime.mixed_precision_dtype"):
        build_optimizer(_config(ema={"average_decay": 0.9}), FLOAT16)
    with pytest.raises(ValueError, match="set task.differential_privacy_config to nul"):
        build_optimizer(_config(), None, object())
    for kind in ("sgd_experimental", "adafactor", "adafactor_keras", "slide", None):
        with pytest.raises(ValueError, match=f"type is {kind!r}: .*one of adamw, "):
            rate = {"learning_rate": _constant(0.1)}
            build_optimizer(TwoRatesConfig({"optimizer": {"type": kind}} | rate))
    with pytest.raises(TypeError, match="SGD holds no GroupedOptimizer: build it with"):
        grouped(tf_keras.optimizers.legacy.SGD())


class _Model(tf_keras.Model):
    def __init__(self):
        super().__init__()
        self.backbone, self.head = (
            tf_keras.layers.Dense(2, name="dense") for _ in range(2)
        )

    def call(self, inputs):
        return self.head(self.backbone(inputs))


def test_groups_go_by_the_variables_not_by_their_names():
    model = _Model()
    with pytest.raises(ValueError, match="has no variables: build the model first"):
        backbone_or_head(model)
    model(tf.zeros((1, 2)))
    assert len({variable.name for variable in model.weights}) == 2
    group_of = backbone_or_head(model)
    assert [group_of(v) for v in model.backbone.weights] == ["backbone"] * 2
    assert [group_of(v) for v in model.head.weights] == ["head"] * 2
    assert group_of(tf.Variable(0.0)) == "head"


def test_groups_can_be_set_later():
    model = _Model()
    model(tf.zeros((1, 2)))
    optimizer = build_optimizer(_config(), FLOAT16)
    pairs = [(tf.ones_like(v), v) for v in model.trainable_variables]
    with pytest.raises(ValueError, match="set group_of"):
        optimizer.apply_gradients(pairs)
    grouped(optimizer).group_of = backbone_or_head(model)
    optimizer.apply_gradients(pairs)


@pytest.mark.slow
def test_model_gardens_trainer_on_two_devices(run_isolated):
    run_isolated("grouped_optimizer_checks.py")
