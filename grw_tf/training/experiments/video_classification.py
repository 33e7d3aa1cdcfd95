"""The experiments that are registered with the Model Garden's factory: one per model.

MoViNets' names begin with `movinet_`. What is trained beyond the plain model, such as
GRW smoothing, is switched on by the overlays in `configs/`.
"""

import dataclasses
import functools
from typing import Any

from official.core import config_definitions as cfg
from official.core import exp_factory
from official.vision.configs import video_classification

from grw_tf.common.output_activation import SIGMOID
from grw_tf.models import ModelConfig
from grw_tf.models.presets import PRESETS
from grw_tf.models.smoothing_places import LAST_BLOCK, last_block
from grw_tf.training.experiments.yaml_config import frozen, mirrored
from grw_tf.training.optimization.two_rates import TwoRatesConfig
from grw_tf.weights.keras_applications import IMAGENET, has_keras_weights
from grw_tf.weights.official import OFFICIAL

_BATCH_SIZE = 16

Model = mirrored(ModelConfig)
"""`ModelConfig` as a config that YAML files override."""


@dataclasses.dataclass
class Losses(video_classification.Losses):
    """The Model Garden's losses, with class weights.

    Attributes:
        class_weights: The weight of each clip's loss in training: a list of numbers,
            one per class; "balanced", which gives all classes the same total weight;
            or null.
    """

    class_weights: Any = None


@dataclasses.dataclass
class DataConfig(video_classification.DataConfig):
    """The Model Garden's data config, with a switch for mirroring.

    Attributes:
        aug_random_flip: Whether half of the training clips are mirrored. Switch it off
            for classes that mirror each other, such as left and right.
    """

    aug_random_flip: bool = True


def _data(is_training):
    return DataConfig(
        is_training=is_training,
        drop_remainder=is_training,
        global_batch_size=_BATCH_SIZE,
        shuffle_buffer_size=256,
    )


@dataclasses.dataclass
class VideoClassificationTask(video_classification.VideoClassificationTask):
    """The Model Garden's task config with a model of this project.

    Attributes:
        model: The model. It gives the frames and size of clips and the number of
            classes; leave these alone in `train_data` and `validation_data`.
        init_checkpoint: See `grw_tf.weights.restore`. "official" names the model's
            official weights; empty starts from random weights.
        seed: The seed of the initial weights, of the order and augmentation of clips,
            and of dropout.
        freeze_backbone: Whether the backbone never trains.
        unfreeze_step: The step at which the backbone begins to train.
        freeze_batch_norm: Whether the backbone's batch normalizations keep their
            statistics, scales and offsets.
    """

    # A class that a function made is no type to the type checker.
    model: Model = dataclasses.field(default_factory=Model)  # type: ignore[valid-type]
    train_data: DataConfig = dataclasses.field(default_factory=lambda: _data(True))
    validation_data: DataConfig = dataclasses.field(
        default_factory=lambda: _data(False)
    )
    losses: Losses = dataclasses.field(default_factory=Losses)
    seed: int = 0
    unfreeze_step: int = 0
    freeze_batch_norm: bool = False


@dataclasses.dataclass
class TrainerConfig(cfg.TrainerConfig):
    """The Model Garden's trainer config, with recalibration and early stopping.

    Attributes:
        batch_norm_recalibration: The number of training clips on which the statistics
            of batch normalizations are estimated before each evaluation, with
            regularizers off; 0 for none. The evaluated and best checkpoints have the
            estimates; training continues with its own statistics.
        early_stopping_patience: The number of evaluations in a row without a better
            `best_checkpoint_eval_metric` after which training stops; 0 for never.
        recovery_max_trials: Switches the Model Garden's recovery off, which would
            rewind the weights but not the data.
    """

    batch_norm_recalibration: int = 0
    early_stopping_patience: int = 0
    recovery_max_trials: int = -1


def _cosine(initial, final):
    return {
        "type": "cosine",
        "cosine": {
            "initial_learning_rate": initial,
            "alpha": final / initial,
        },
    }


_FINE_TUNING = {
    "optimizer": {"type": "adamw"},
    "learning_rate": _cosine(1e-4, 1e-6),
    "head_learning_rate": _cosine(1e-3, 1e-5),
    "ema": {"average_decay": 0.999, "trainable_weights_only": False},
}
_SCRATCH = {
    "optimizer": {"type": "sgd", "sgd": {"momentum": 0.9, "nesterov": True}},
    "learning_rate": _cosine(0.1 * _BATCH_SIZE / 64, 0.0),
}


def experiment(preset: str) -> cfg.ExperimentConfig:
    """Returns the experiment of a model preset, without data.

    MoViNets and MobileNetV3 have the published recipe of arXiv 2511.20928, except for
    the number of steps: AdamW, cosine from 1e-4 to 1e-6 for the backbone and from 1e-3
    to 1e-5 for the head, and a moving average of the weights, which is evaluated.

    SlowOnly trains from random weights by the Model Garden's recipe for 3-D ResNets:
    SGD with momentum, cosine from 0.1 per 64 clips of a batch, and weight decay. Clips
    are cropped as in the RMS paper.
    """
    from_scratch = PRESETS[preset].backbone.family.trains_from_scratch
    task = VideoClassificationTask(
        model=Model(dataclasses.asdict(PRESETS[preset])),
        losses=Losses(label_smoothing=0.1),
        metrics=video_classification.Metrics(use_per_class_recall=True),
    )
    if from_scratch:
        task.losses = Losses(l2_weight_decay=1e-4)
        task.train_data.override(_RANDOM_RESIZED_CROP)
    return cfg.ExperimentConfig(
        runtime=cfg.RuntimeConfig(distribution_strategy="one_device"),
        task=task,
        trainer=TrainerConfig(
            optimizer_config=TwoRatesConfig(_SCRATCH if from_scratch else _FINE_TUNING),
            train_steps=1000,
            steps_per_loop=10,
            summary_interval=10,
            checkpoint_interval=100,
            validation_interval=100,
            best_checkpoint_export_subdir="best_ckpt",
            best_checkpoint_eval_metric="top_1_accuracy",
        ),
    )


# From the RMS paper, section 4.1.
_RANDOM_RESIZED_CROP = {
    "aug_min_area_ratio": 0.25,
    "aug_max_area_ratio": 1.0,
    "aug_min_aspect_ratio": 3 / 4,
    "aug_max_aspect_ratio": 4 / 3,
}


def fill_in(experiment_config: cfg.ExperimentConfig) -> None:
    """Replaces what depends on other keys by its value.

    Schedules without `decay_steps` decay over the whole training, an `init_checkpoint`
    of "official" becomes the name of the model's official weights, and "last_block"
    among the layers to smooth becomes the name of that endpoint. With several labels a
    clip, the best checkpoint is chosen by mAP where it would be by top-1 accuracy.

    Raises:
        ValueError: If the model has no official weights.
    """
    task, trainer = experiment_config.task, experiment_config.trainer
    optimization = trainer.optimizer_config
    for rate in (optimization.learning_rate, optimization.head_learning_rate):
        schedule: Any = rate.get() if rate.type else None
        if getattr(schedule, "decay_steps", 0) is None:
            schedule.decay_steps = trainer.train_steps
    several = task.model.output_activation == SIGMOID
    if several and trainer.best_checkpoint_eval_metric == "top_1_accuracy":
        trainer.best_checkpoint_eval_metric = "mean_average_precision"
    if task.init_checkpoint == "official":
        task.init_checkpoint = _official_weights(task.model.backbone)
    _name_last_block(task.model)


def _name_last_block(model):
    layers = model.smoothing.layers
    if LAST_BLOCK in layers:
        # As if nothing were smoothed: the config is checked once it is complete.
        plain = model.replace(smoothing={"layers": ()})
        last = last_block(frozen(plain, ModelConfig))
        model.smoothing.layers = tuple(
            last if place == LAST_BLOCK else place for place in layers
        )


def _official_weights(backbone):
    model_id = backbone.model_id
    if has_keras_weights(model_id):
        return IMAGENET
    name = f"movinet_{model_id}_{'stream' if backbone.causal else 'base'}"
    if name not in OFFICIAL:
        raise ValueError(
            f"task.init_checkpoint is 'official', but {model_id!r:.80} has no official"
            " weights: name a checkpoint, or leave it empty to start from random"
            " weights."
        )
    return name


EXPERIMENTS = {
    f"{config.backbone.family.experiment_prefix}{name}": name
    for name, config in PRESETS.items()
    if not name.endswith("_grw")
}
"""Names of presets by names of experiments."""

for _name, _preset in EXPERIMENTS.items():
    exp_factory.register_config_factory(_name)(functools.partial(experiment, _preset))
