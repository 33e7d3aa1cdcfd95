"""Times training steps of the Model Garden's trainer, side by side."""

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from official.core import base_trainer, train_utils
from official.core import config_definitions as cfg
from official.modeling import optimization
from official.projects.movinet.configs import movinet
from official.projects.movinet.modeling import movinet_model  # noqa: F401 registers it
from official.vision.configs import video_classification as official_configs
from official.vision.tasks import video_classification as official_tasks
from tensorflow.types.experimental import ConcreteFunction

from grw_tf.common.paired_timing import Seconds
from grw_tf.models import ModelConfig
from grw_tf.training.experiments.video_classification import experiment, fill_in
from grw_tf.training.tasks.video_classification import Task
from grw_tf.training.trainer import Trainer

# The Model Garden's names of gates today; it has none for hard_sigmoid_keras.
_OFFICIAL_GATES = {"hard_sigmoid_relu6": "hard_sigmoid", "sigmoid": "sigmoid"}


def make_batch(
    config: ModelConfig, batch_size: int
) -> tuple[dict[str, np.ndarray], tf.Tensor]:
    """Returns a batch of random clips and labels for a model's config."""
    rng = np.random.default_rng(0)
    shape = (batch_size, config.frames, config.size, config.size, 3)
    labels = rng.integers(config.num_classes, size=batch_size)
    return {"image": rng.random(shape, "float32")}, tf.one_hot(
        labels, config.num_classes
    )


def experiment_of(config: ModelConfig) -> cfg.ExperimentConfig:
    """Returns the experiment of a model's config, without data."""
    params = experiment("a0_stream")
    params.task.model.override(dataclasses.asdict(config))
    fill_in(params)
    return params


def own_trainer(config: ModelConfig, batch: Any) -> Trainer:
    """Returns the trainer of this project's model of a config, on one batch."""
    params = experiment_of(config)
    return _trainer(Trainer, params, Task(params.task), batch)


def official_trainer(config: ModelConfig, batch: Any) -> base_trainer.Trainer:
    """Returns the Model Garden's trainer with its own task and classifier, unchanged.

    The optimizer, schedule and moving average are those of `own_trainer`, with one
    learning rate instead of two. The classifier takes the settings of the config's
    official head. The batch is one of `make_batch`.

    Raises:
        ValueError: If the Model Garden has no name for the gating activation.
    """
    params = experiment_of(config)
    own = params.trainer.optimizer_config
    params.trainer.optimizer_config = optimization.OptimizationConfig(
        {
            "optimizer": own.optimizer.as_dict(),
            "learning_rate": own.learning_rate.as_dict(),
            "ema": own.ema.as_dict(),
        }
    )
    data = {
        "feature_shape": (config.frames, config.size, config.size, 3),
        "num_classes": config.num_classes,
    }
    params.task = official_configs.VideoClassificationTask(
        model=_official_model(config),
        train_data=params.task.train_data.replace(**data),
        validation_data=params.task.validation_data.replace(**data),
        losses=params.task.losses,
    )
    task = official_tasks.VideoClassificationTask(params.task)
    return _trainer(base_trainer.Trainer, params, task, batch)


def trace_step(trainer: base_trainer.Trainer) -> ConcreteFunction:
    """Returns the compiled step of a trainer."""
    iterator = iter(trainer.train_dataset)
    compiled = tf.function(lambda: trainer.train_step(iterator))
    # Called through `compiled`, steps of many models would look like retracing.
    return compiled.get_concrete_function()


def step_of(
    trainer: base_trainer.Trainer, step: ConcreteFunction | None = None
) -> Callable[[], Seconds]:
    """Returns a function that takes a compiled step of a trainer and times it.

    Args:
        trainer: The trainer.
        step: Result of `trace_step`; None traces it.
    """
    step = step or trace_step(trainer)

    def timed():
        start = Seconds.now()
        step()
        # Waits for the device, which runs asynchronously.
        trainer.train_loss.result().numpy()
        return Seconds.now() - start

    return timed


def inference_of(model: tf_keras.Model, batch: Any) -> Callable[[], Seconds]:
    """Returns a function that runs a model on a batch of `make_batch` and times it."""
    clips = tf.constant(batch[0]["image"])
    # The Model Garden's models take clips alone.
    infer = tf.function(lambda: model(clips, training=False)).get_concrete_function()

    def timed():
        start = Seconds.now()
        tf.nest.map_structure(lambda output: output.numpy(), infer())
        return Seconds.now() - start

    return timed


def read_of(dataset: tf.data.Dataset, batches: int) -> Callable[[], Seconds]:
    """Returns a function that reads batches of a dataset and times them.

    Each call starts over, and the time counts from after the first batch.
    """

    def timed():
        iterator = iter(dataset)
        next(iterator)
        start = Seconds.now()
        for _ in range(batches):
            next(iterator)
        return Seconds.now() - start

    return timed


def _official_model(config):
    backbone = dataclasses.asdict(config.backbone)
    gate = backbone["gating_activation"]
    if gate not in _OFFICIAL_GATES:
        raise ValueError(
            f"The Model Garden has no name for the gate {gate}: choose one of"
            f" {', '.join(_OFFICIAL_GATES)}."
        )
    backbone["gating_activation"] = _OFFICIAL_GATES[gate]
    momentum = backbone["norm_momentum"]
    theirs = inspect.signature(movinet.Movinet).parameters
    fields = {name: value for name, value in backbone.items() if name in theirs}
    model = movinet.MovinetModel(
        backbone=movinet.Backbone3D(movinet=movinet.Movinet(**fields)),
        activation=config.head.activation,
        dropout_rate=config.head.dropout_rate,
    )
    model.norm_activation.norm_momentum = momentum
    return model


def _trainer(trainer_class, params, task, batch):
    return train_utils.create_trainer(
        params,
        task,
        train=True,
        evaluate=False,
        trainer_cls=functools.partial(
            trainer_class,
            train_dataset=tf.data.Dataset.from_tensors(batch).repeat(),
        ),
    )
