"""Video classification as the Model Garden's, of this project's models and records."""

import os

import tf_keras
from official.core import task_factory
from official.vision.tasks import video_classification

from grw_tf.data.clips import resize_side
from grw_tf.data.sequence_examples import (
    LABELS_FILE,
    check_records,
    frame_stride,
    read_frame_rate,
    read_labels,
)
from grw_tf.experiments.video_classification import VideoClassificationTask
from grw_tf.experiments.yaml_config import frozen
from grw_tf.models import ModelConfig, build_model
from grw_tf.optimization.two_rates import backbone_or_head, build_optimizer
from grw_tf.weights.restore import restore


@task_factory.register_task_cls(VideoClassificationTask)
class Task(video_classification.VideoClassificationTask):
    """Trains a model of `build_model` in the Model Garden's trainer.

    The model's config says the shape of clips and the number of classes.

    Args:
      params: a `VideoClassificationTask`.
      logging_dir, name: of the Model Garden's task.

    Raises:
      ValueError: if the config describes no model.
    """

    def __init__(self, params, logging_dir=None, name=None):
        super().__init__(params, logging_dir, name)
        self.model_config = frozen(params.model, ModelConfig)
        self._model = None

    def _get_num_classes(self):
        return self.model_config.num_classes

    def build_model(self):
        self._model = build_model(self.model_config)
        self._model.backbone.trainable = not self.task_config.freeze_backbone
        return self._model

    def initialize(self, model):
        if self.task_config.init_checkpoint:
            restore(model, self.task_config.init_checkpoint)

    def create_optimizer(self, optimizer_config, runtime_config=None, dp_config=None):
        return build_optimizer(
            optimizer_config, runtime_config, dp_config, backbone_or_head(self._model)
        )

    def build_inputs(self, params, input_context=None):
        config = self.model_config
        if not params.tfds_name:
            paths = check_records(params.input_path)
            self._check_classes(paths[0])
            rate = read_frame_rate(paths[0])
            stride = frame_stride(rate, self.model_config.fps, paths[0])
            params = params.replace(temporal_stride=stride)
        params = params.replace(
            feature_shape=(config.frames, config.size, config.size, 3),
            min_image_size=resize_side(config.size),
            num_classes=config.num_classes,
            one_hot=self.task_config.losses.one_hot,
        )
        return super().build_inputs(params, input_context)

    def _check_classes(self, path):
        file = os.path.join(os.path.dirname(path), LABELS_FILE)
        labels = read_labels(file)
        if len(labels) != self.model_config.num_classes:
            raise ValueError(
                f"{file} has {len(labels)} classes, task.model.num_classes is"
                f" {self.model_config.num_classes}: they must be equal."
            )

    def build_metrics(self, training=True):
        classes = self.model_config.num_classes
        one_hot = self.task_config.losses.one_hot
        accuracy = (
            tf_keras.metrics.TopKCategoricalAccuracy
            if one_hot
            else tf_keras.metrics.SparseTopKCategoricalAccuracy
        )
        metrics = [
            accuracy(k=min(k, classes), name=f"top_{k}_accuracy") for k in (1, 5)
        ]
        if one_hot:
            metrics.append(tf_keras.metrics.F1Score(average="macro", name="macro_f1"))
        return [*metrics, tf_keras.metrics.Mean(name="class_loss")]

    def train_step(self, inputs, model, optimizer, metrics=None):
        measured, means = _split(metrics)
        logs = super().train_step(inputs, model, optimizer, measured)
        return _update(means, logs)

    def validation_step(self, inputs, model, metrics=None):
        measured, means = _split(metrics)
        return _update(means, super().validation_step(inputs, model, measured))


def _split(metrics):
    """Returns the metrics of labels and outputs, and those of losses and layers."""
    means = [m for m in metrics or [] if type(m) is tf_keras.metrics.Mean]
    return [m for m in metrics or [] if type(m) is not tf_keras.metrics.Mean], means


def _update(means, logs):
    for metric in means:
        # Layers update their own.
        if metric.name in logs:
            metric.update_state(logs[metric.name])
    return logs
