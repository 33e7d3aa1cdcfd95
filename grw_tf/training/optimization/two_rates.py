"""Optimization with two learning rates in the Model Garden's trainer."""

import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tf_keras
from official.core import config_definitions as cfg
from official.modeling import optimization, performance

from grw_tf.training.optimization.grouped_optimizer import GroupedOptimizer
from grw_tf.training.optimization.moving_average import MovingAverage

BACKBONE = "backbone"
HEAD = "head"

OPTIMIZERS = ("adamw", "adam", "sgd", "lamb", "lars", "rmsprop", "adagrad")
"""Types that are legacy Keras optimizers, which the moving average needs."""


@dataclasses.dataclass
class TwoRatesConfig(optimization.OptimizationConfig):
    """The Model Garden's optimization config, with another learning rate for the head.

    The head is everything but the backbone. Schedules, warm-up and the moving average
    count steps of the trainer, whatever the number of steps per update.

    Attributes:
        head_learning_rate: The schedule of the head; `learning_rate` if no type is
            chosen.
        head_warmup: The warm-up of the head; `warmup` if no type is chosen ("linear"
            with 0 `warmup_steps` for none).
        clip_norm: The highest norm of the gradient of backbone and head together, over
            all replicas; 0 for no limit. None takes the optimizer's config, so 1.0 for
            adamw, whose gradient_clip_norm then acts on all replicas' gradient, too.
        accumulation_steps: The number of steps per update, which applies their mean
            gradient; the last train_steps % accumulation_steps steps have no effect.
    """

    head_learning_rate: optimization.LrConfig = dataclasses.field(
        default_factory=optimization.LrConfig
    )
    head_warmup: optimization.WarmupConfig = dataclasses.field(
        default_factory=optimization.WarmupConfig
    )
    clip_norm: float | None = None
    accumulation_steps: int = 1


def backbone_or_head(model: tf_keras.Model) -> Callable[[tf.Variable], str]:
    """Returns a function from a model's variables to the names of their groups.

    Raises:
        ValueError: If the model's backbone has no variables yet.
    """
    backbone = {variable.ref() for variable in model.backbone.weights}
    if not backbone:
        raise ValueError(
            f"The backbone of {model.name} has no variables: build the model first."
        )
    return lambda variable: BACKBONE if variable.ref() in backbone else HEAD


def build_optimizer(
    config: TwoRatesConfig,
    runtime_config: cfg.RuntimeConfig | None = None,
    dp_config: Any = None,
    group_of: Callable[[tf.Variable], str] | None = None,
) -> tf_keras.optimizers.legacy.Optimizer:
    """Builds the optimizer of a task's `create_optimizer`.

    It is a `GroupedOptimizer`, alone or inside the Model Garden's moving average or
    Keras' loss scaling.

    Args:
        config: The optimization config; each group gets an optimizer of its type.
        runtime_config: The Model Garden's runtime config; mixed_precision_dtype float16
            adds loss scaling.
        dp_config: Must be None, because differential privacy is not supported.
        group_of: See `GroupedOptimizer`; usually `backbone_or_head(model)`. May be set
            later: `grouped(optimizer).group_of = backbone_or_head(model)`.

    Raises:
        ValueError: If the type of optimizer is not in `OPTIMIZERS`, no learning rate is
            chosen, a moving average is used with float16, or differential privacy is
            asked for.
    """
    kind = config.optimizer.type
    if kind not in OPTIMIZERS:
        raise ValueError(
            f"trainer.optimizer_config.optimizer.type is {kind!r}: it must be one of"
            f" {', '.join(OPTIMIZERS)}."
        )
    runtime = runtime_config or cfg.RuntimeConfig()
    float16 = runtime.mixed_precision_dtype == "float16"
    if dp_config is not None:
        raise ValueError(
            "Differential privacy is not supported with two learning rates: set"
            " task.differential_privacy_config to null."
        )
    if config.ema and float16:
        raise ValueError(
            "The Model Garden's moving average does not train with the loss scaling of"
            " float16: set runtime.mixed_precision_dtype to bfloat16, or"
            " trainer.optimizer_config.ema to null."
        )
    rates = {
        BACKBONE: (config.learning_rate, config.warmup),
        HEAD: (
            config.head_learning_rate
            if config.head_learning_rate.type
            else config.learning_rate,
            config.head_warmup if config.head_warmup.type else config.warmup,
        ),
    }
    optimizer = GroupedOptimizer(
        {group: _build_one(config, *rate) for group, rate in rates.items()},
        group_of,
        config.accumulation_steps,
        **_clipping(config),
    )
    if config.ema:
        optimizer = MovingAverage(optimizer, **config.ema.as_dict())
    if float16:
        optimizer = performance.configure_optimizer(
            optimizer, use_float16=True, loss_scale=runtime.loss_scale
        )
    return optimizer


def grouped(optimizer: Any) -> GroupedOptimizer:
    """Returns the `GroupedOptimizer` inside a moving average or loss scaling.

    Raises:
        TypeError: If there is none inside.
    """
    inner = optimizer
    while inner is not None:
        if isinstance(inner, GroupedOptimizer):
            return inner
        inner = getattr(inner, "_optimizer", None)
    raise TypeError(
        f"{type(optimizer).__name__} holds no GroupedOptimizer: build it with"
        " build_optimizer."
    )


def _build_one(config, learning_rate, warmup):
    kind = config.optimizer.type
    unclipped = {"clipnorm": None, "clipvalue": None, "global_clipnorm": None}
    if kind == "adamw":
        unclipped["gradient_clip_norm"] = 0.0
    optimizer = config.optimizer.replace(**{kind: unclipped})
    factory = optimization.OptimizerFactory(
        optimization.OptimizationConfig(
            optimizer=optimizer, learning_rate=learning_rate, warmup=warmup
        )
    )
    return factory.build_optimizer(factory.build_learning_rate())


def _clipping(config):
    """Returns the clipping of the config, which `_build_one` leaves out."""
    own = config.optimizer.get()
    norms = (own.global_clipnorm, getattr(own, "gradient_clip_norm", None))
    norm = config.clip_norm
    if norm is None:
        norm = min((n for n in norms if n), default=None)
    return {
        "clipnorm": own.clipnorm,
        "clipvalue": own.clipvalue,
        "global_clipnorm": norm or None,
    }
