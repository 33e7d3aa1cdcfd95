"""The Model Garden's video classification task with this project's models and data."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from official.core import config_definitions as cfg
from official.core import task_factory
from official.modeling import tf_utils
from official.vision.tasks import video_classification

from grw_tf.data.records.record_source import RecordSource
from grw_tf.data.tfds_source import TfdsSource
from grw_tf.models import ModelConfig, build_model
from grw_tf.models.batch_normalization import batch_normalizations
from grw_tf.training.experiments.video_classification import (
    DataConfig,
    VideoClassificationTask,
)
from grw_tf.training.experiments.yaml_config import frozen
from grw_tf.training.optimization.two_rates import (
    TwoRatesConfig,
    backbone_or_head,
    build_optimizer,
)
from grw_tf.training.tasks import clip_inputs
from grw_tf.training.tasks.class_weights import (
    BALANCED,
    balanced_label_weights,
    balanced_weights,
    given_weights,
)
from grw_tf.training.tasks.clip_mixing import clip_mixing
from grw_tf.training.tasks.label_metrics import (
    AveragePrecisions,
    BestThresholds,
    LabelF1,
    MeanAveragePrecision,
)
from grw_tf.training.tasks.metrics import ConfusionMatrix, MacroF1
from grw_tf.weights.restore import restore


@task_factory.register_task_cls(VideoClassificationTask)
class Task(video_classification.VideoClassificationTask):
    """The task that the Model Garden's trainer runs, for a model of `build_model`.

    The model's config gives the shape of the clips and the number of classes.

    Args:
        params: The config of the task.
        logging_dir: See the Model Garden's task.
        name: See the Model Garden's task.

    Attributes:
        first_step: The training step at which `build_inputs` begins.

    Raises:
        ValueError: If the config describes no model.
    """

    def __init__(
        self,
        params: VideoClassificationTask,
        logging_dir: str | None = None,
        name: str | None = None,
    ):
        super().__init__(params, logging_dir, name)
        self.model_config = frozen(params.model, ModelConfig)
        self.first_step = 0
        self._training_context = None
        self._estimates_statistics = False
        self._model: Any = None
        # Those of the step that is being traced.
        self._weights: np.ndarray | None = None

    def _get_num_classes(self):
        return self.model_config.num_classes

    def _is_multilabel(self):
        return self.model_config.has_several_labels

    def build_model(self) -> tf_keras.Model:
        """Builds the model of the config, with random weights."""
        self._model = build_model(self.model_config)
        return self._model

    def freeze(self, step: int) -> bool:
        """Freezes what does not train at a step; returns whether the backbone trains.

        The rest is unfrozen. Frozen batch normalizations keep their statistics, too.
        """
        config = self.task_config
        trains = not config.freeze_backbone and step >= config.unfreeze_step
        self._model.backbone.trainable = trains
        if config.freeze_batch_norm:
            for layer in batch_normalizations(self._model.backbone):
                layer.trainable = False
        return trains

    def initialize(self, model: tf_keras.Model) -> None:
        """Restores `init_checkpoint`, if there is one."""
        if self.task_config.init_checkpoint:
            restore(model, self.task_config.init_checkpoint)

    def create_optimizer(
        self,
        optimizer_config: TwoRatesConfig,
        runtime_config: cfg.RuntimeConfig | None = None,
        dp_config: Any = None,
    ) -> tf_keras.optimizers.legacy.Optimizer:
        """Returns the optimizer; see `build_optimizer`."""
        return build_optimizer(
            optimizer_config, runtime_config, dp_config, backbone_or_head(self._model)
        )

    @functools.cached_property
    def train_source(self) -> RecordSource | TfdsSource:
        """The training clips."""
        return self._open(self.task_config.train_data)

    @functools.cached_property
    def validation_source(self) -> RecordSource | TfdsSource:
        """The validation clips."""
        return self._open(self.task_config.validation_data)

    @functools.cached_property
    def class_weights(self) -> np.ndarray | None:
        """The weights of the classes in the loss, or None.

        They are float32 `[num_classes]`; with several labels `[2, num_classes]`, of
        clips without and with each class.
        """
        setting = self.task_config.losses.class_weights
        if setting is None:
            return None
        classes, several = self.model_config.num_classes, self._is_multilabel()
        if setting == BALANCED:
            balanced = balanced_label_weights if several else balanced_weights
            return balanced(self.train_source, classes)
        weights = given_weights(setting, classes)
        return np.stack([weights, weights]) if several else weights

    def build_inputs(
        self,
        params: DataConfig,
        input_context: tf.distribute.InputContext | None = None,
    ) -> tf.data.Dataset:
        """Returns the batches of a data config; see `clip_inputs.batches`."""
        source = self.train_source if params.is_training else self.validation_source
        params = self._complete(params, source)
        if params.is_training:
            self._training_context = input_context
        return clip_inputs.batches(
            params,
            source,
            self.model_config.frame_geometry,
            self.task_config.seed,
            self.first_step if params.is_training else 0,
            input_context,
            clip_mixing(params, self.model_config) if params.is_training else None,
        )

    def build_statistics_inputs(
        self, clips: int, input_context: tf.distribute.InputContext | None = None
    ) -> tf.data.Dataset:
        """Returns batches of training clips, prepared as for validation, in one view.

        It always returns the same clips, `clips` in number.
        """
        self._estimates_statistics = True
        one_view = self.task_config.train_data.replace(
            is_training=False, drop_remainder=False, num_test_clips=1, num_test_crops=1
        )
        return clip_inputs.batches(
            self._complete(one_view, self.train_source),
            self.train_source,
            self.model_config.frame_geometry,
            self.task_config.seed,
            context=input_context,
            chosen=clips,
        )

    def names_of_step(self, step: int) -> list[str]:
        """Returns the names of this worker's clips in a training step."""
        return clip_inputs.names(self._records_of_step(step))

    def broken_clips(self, step: int | None = None) -> list[str]:
        """Returns the names of the clips with a frame that cannot be decoded.

        It searches this worker's clips of a training step; without a step, all clips
        that evaluations read.
        """
        config = self.task_config
        if step is not None:
            records = self._records_of_step(step)
            return clip_inputs.broken(config.train_data, self.train_source, records)
        found = clip_inputs.broken(config.validation_data, self.validation_source)
        if self._estimates_statistics:
            found += clip_inputs.broken(config.train_data, self.train_source)
        return found

    def _records_of_step(self, step):
        return clip_inputs.records_of_step(
            self.task_config.train_data,
            self.train_source,
            self.task_config.seed,
            step,
            self._training_context,
        )

    def open_sources(self, train: bool, evaluate: bool) -> Sequence[str]:
        """Opens and checks the clips of a run, and returns the names of the classes.

        Otherwise this would happen at first use.

        Raises:
            ValueError: See `clip_inputs.open_source`. If the classes differ, or are not
                as many as the model's. If the frame rate does not fit the model.
            OSError: If a file cannot be read.
        """
        wanted = []
        if train:
            wanted.append((self.task_config.train_data, self.train_source))
            _ = self.class_weights
        if evaluate:
            wanted.append((self.task_config.validation_data, self.validation_source))
        names = wanted[0][1].class_names
        for params, source in wanted:
            self._complete(params, source)
            _ = source.files
            if source.class_names != names:
                raise ValueError(
                    f"{source.where} has the classes {list(source.class_names)[:8]},"
                    f" and the training clips {list(names)[:8]}: prepare the records"
                    " together, or with the same --labels."
                )
        return names

    def _open(self, params):
        source = clip_inputs.open_source(params, self._is_multilabel())
        classes = self.model_config.num_classes
        if len(source.class_names) != classes:
            raise ValueError(
                f"{source.where} has {len(source.class_names)} classes,"
                f" task.model.num_classes is {classes}: they must be equal."
            )
        if classes < 2 and not self._is_multilabel():
            raise ValueError(
                f"{source.where} has one class, {source.class_names[0]!r}: a"
                " classifier needs at least two; add clips of another, or for a binary"
                " model, with clips of no class, set"
                " task.model.output_activation=sigmoid."
            )
        return source

    def _complete(self, params, source):
        config = self.model_config
        if params.input_path:
            params = params.replace(temporal_stride=source.stride(config.fps))
        return params.replace(
            feature_shape=(config.frames, config.size, config.size, 3),
            num_classes=config.num_classes,
            is_multilabel=self._is_multilabel(),
            # Mixing encodes the labels itself.
            one_hot=self.task_config.losses.one_hot
            and not (params.is_training and clip_mixing(params, config)),
        )

    def build_losses(
        self, labels: tf.Tensor, model_outputs: tf.Tensor, aux_losses: Any = None
    ) -> dict[str, tf.Tensor]:
        """Returns the losses by name; the one called `self.loss` is their sum."""
        config = self.task_config.losses
        if self._is_multilabel():
            losses = self._label_losses(labels, model_outputs)
        elif config.one_hot:
            losses = tf_keras.losses.categorical_crossentropy(
                labels, model_outputs, label_smoothing=config.label_smoothing
            )
        else:
            losses = tf_keras.losses.sparse_categorical_crossentropy(
                labels, model_outputs
            )
        if self._weights is not None and not self._is_multilabel():
            weights = tf.constant(self._weights)
            losses *= (
                tf.linalg.matvec(labels, weights)
                if config.one_hot
                else tf.gather(weights, tf.reshape(labels, (-1,)))
            )
        # A replica's last batch may be empty.
        named = {"class_loss": tf_utils.safe_mean(losses)}
        if config.l2_weight_decay:
            named["weight_decay_loss"] = config.l2_weight_decay * tf.add_n(
                [tf.nn.l2_loss(kernel) for kernel in _kernels(self._model)]
            )
        total = tf.add_n([*named.values(), *(aux_losses or [])])
        return named | {self.loss: total}

    def _label_losses(self, labels, outputs):
        """Returns the mean binary cross-entropy over classes of each clip [batch]."""
        smoothing = self.task_config.losses.label_smoothing
        labels = tf.cast(labels, outputs.dtype)
        # Towards a half, as Keras smooths the labels of sigmoids.
        targets = labels * (1 - smoothing) + smoothing / 2
        losses = tf_keras.backend.binary_crossentropy(targets, outputs)
        if self._weights is not None:
            without, with_class = tf.unstack(tf.constant(self._weights))
            losses *= without + labels * (with_class - without)
        return tf.reduce_mean(losses, axis=-1)

    def build_metrics(self, training: bool = True) -> list[tf_keras.metrics.Metric]:
        """Returns the metrics of training or of validation."""
        metrics = self._label_metrics() if self._is_multilabel() else self._metrics()
        classes = self.model_config.num_classes
        if not training and self._is_multilabel():
            metrics += [AveragePrecisions(classes), BestThresholds(classes)]
        elif not training:
            metrics.append(ConfusionMatrix(classes))
        metrics.append(tf_keras.metrics.Mean(name="class_loss"))
        if self.task_config.losses.l2_weight_decay:
            metrics.append(tf_keras.metrics.Mean(name="weight_decay_loss"))
        return metrics

    def _metrics(self):
        classes = self.model_config.num_classes
        accuracy = (
            tf_keras.metrics.TopKCategoricalAccuracy
            if self.task_config.losses.one_hot
            else tf_keras.metrics.SparseTopKCategoricalAccuracy
        )
        top = [accuracy(k=min(k, classes), name=f"top_{k}_accuracy") for k in (1, 5)]
        return [*top, MacroF1(classes)]

    def _label_metrics(self):
        classes = self.model_config.num_classes
        f1 = [LabelF1(classes, average) for average in ("micro", "macro")]
        return [MeanAveragePrecision(classes), *f1]

    def train_step(
        self,
        inputs: Any,
        model: tf_keras.Model,
        optimizer: tf_keras.optimizers.legacy.Optimizer,
        metrics: Sequence[tf_keras.metrics.Metric] | None = None,
    ) -> dict[str, Any]:
        """Takes a training step and returns its logs."""
        self._weights = self.class_weights
        measured, means = _split(metrics)
        logs = super().train_step(inputs, model, optimizer, measured)
        return _update(means, logs)

    def validation_step(
        self,
        inputs: Any,
        model: tf_keras.Model,
        metrics: Sequence[tf_keras.metrics.Metric] | None = None,
    ) -> dict[str, Any]:
        """Takes a validation step and returns its logs."""
        self._weights = None
        measured, means = _split(metrics)
        return _update(means, super().validation_step(inputs, model, measured))


def _kernels(model):
    return [
        variable
        for variable in model.trainable_variables
        if variable.name.split("/")[-1].split(":")[0].endswith("kernel")
    ]


def _split(metrics):
    """Returns the metrics of predictions, and the means of losses and layers."""
    means = [m for m in metrics or [] if type(m) is tf_keras.metrics.Mean]
    return [m for m in metrics or [] if type(m) is not tf_keras.metrics.Mean], means


def _update(means, logs):
    for metric in means:
        # Layers update their own.
        if metric.name in logs:
            metric.update_state(logs[metric.name])
    return logs
