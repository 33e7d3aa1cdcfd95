"""Classifiers: of official heads, and of embeddings as the GRW models'."""

import functools
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tf_keras
from official.projects.movinet.modeling import movinet_layers, movinet_model

from grw_tf import layers
from grw_tf.models.backbone import (
    build_backbone,
    endpoint_channels,
    endpoint_frames,
    endpoints,
)
from grw_tf.models.config import ModelConfig
from grw_tf.models.config_record import ConfigRecord
from grw_tf.models.convolution_forms import choose_convolutions
from grw_tf.models.input_checks import ClipInput
from grw_tf.models.smoothing import FINAL, build_smoothing, smooth_endpoints


@tf_keras.utils.register_keras_serializable(package="grw_tf")
class MovinetClassifier(ClipInput, ConfigRecord, movinet_model.MovinetClassifier):
    """The Model Garden's MoViNet classifier, with smoothing on backbone endpoints.

    Its outputs and variables are those of `MovinetClassifier`; smoothing adds its own
    variables.

    Args:
        config: The model's config, with head.type "official".

    Call arguments:
        inputs: Clips [batch, N, size, size, 3] in 0..1, or a dict with them as "image".
        training: Whether dropout, smoothing and regularizers act.

    Output shape: logits [batch, num_classes].
    """

    def __init__(self, config: ModelConfig) -> None:
        backbone = build_backbone(config)
        super().__init__(
            backbone,
            num_classes=config.num_classes,
            activation=config.head.activation,
            dropout_rate=config.head.dropout_rate,
        )
        self.config = config
        self.smoothing = build_smoothing(
            config,
            endpoint_channels(backbone),
            endpoint_frames(backbone, config.frames),
        )
        (self.head,) = (
            layer
            for layer in self.layers
            if isinstance(layer, movinet_layers.ClassifierHead)
        )
        choose_convolutions(self.head, config.backbone)

    def call(
        self,
        inputs: tf.Tensor | Mapping[str, tf.Tensor],
        training: bool | tf.Tensor | None = None,
        mask: Any = None,
    ) -> tf.Tensor:
        clips = self.clip(inputs)
        features = endpoints(self.backbone, clips, training)
        smooth_endpoints(self.smoothing, features, clips, training)
        return self.head(features["head"], training=training)


class _HeadedBackbone(ClipInput, ConfigRecord, tf_keras.Model):
    """A backbone, to which a subclass adds smoothing and a head."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = build_backbone(config)

    @property
    def checkpoint_items(self) -> dict[str, tf_keras.Model]:
        """What the Model Garden's trainer can restore separately."""
        return {"backbone": self.backbone}


@tf_keras.utils.register_keras_serializable(package="grw_tf")
class MeanClassifier(_HeadedBackbone):
    """A backbone of another family with its official head, a `MeanHead`.

    Args, call arguments, output shape: As `MovinetClassifier`.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        channels = endpoint_channels(self.backbone)
        frames = endpoint_frames(self.backbone, config.frames)
        self.smoothing = build_smoothing(config, channels, frames)
        model_id = config.backbone.model_id
        hidden = config.backbone.family.head_hidden_channels(model_id)
        self.head = layers.MeanHead(
            num_classes=config.num_classes,
            frames=frames["head"],
            hidden_dim=hidden,
            activation=config.head.activation,
            dropout_rate=config.head.dropout_rate,
            name="head",
        )
        self.head(tf_keras.Input((frames["head"], channels["head"])))
        self.built = True

    def call(
        self,
        inputs: tf.Tensor | Mapping[str, tf.Tensor],
        training: bool | tf.Tensor | None = None,
    ) -> tf.Tensor:
        clips = self.clip(inputs)
        features = endpoints(self.backbone, clips, training)
        smooth_endpoints(self.smoothing, features, clips, training)
        return self.head(self.project(features["head"]), training=training)

    def project(self, features: tf.Tensor) -> tf.Tensor:
        """Returns the backbone's last features without the spatial axes."""
        return tf.squeeze(features, axis=(2, 3))


# Under the name that Keras' files of such models have.
@tf_keras.utils.register_keras_serializable("grw_tf", "TransformerClassifier")
class EmbeddingClassifier(_HeadedBackbone):
    """An affine map of a backbone's features to embeddings Z, and a head on them.

    Args:
        config: The model's config, with head.type other than "official".

    Call arguments, output shape: As `MovinetClassifier`.

    Reference: Goldman et al., NeurIPS 2025, arXiv 2511.20928.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        channels = endpoint_channels(self.backbone)
        frames = endpoint_frames(self.backbone, config.frames)
        width = channels["head"]
        embed_dim = config.head.embed_dim or width
        self.affine = tf_keras.layers.Dense(embed_dim, name="affine")
        self.smoothing = build_smoothing(config, channels, frames)
        self.head = _head_on_embeddings(config, frames["head"])
        z = self.affine(tf_keras.Input((frames["head"], width)))
        if FINAL in self.smoothing:
            z = self.smoothing[FINAL](z)
        self.head(z)
        self.built = True

    def call(
        self,
        inputs: tf.Tensor | Mapping[str, tf.Tensor],
        training: bool | tf.Tensor | None = None,
    ) -> tf.Tensor:
        clips = self.clip(inputs)
        features = endpoints(self.backbone, clips, training)
        new = smooth_endpoints(self.smoothing, features, clips, training)
        z = self.project(features["head"])
        if FINAL in self.smoothing:
            z = self.smoothing[FINAL](z, training=training, new_frames=new)
        return self.head(z, training=training)

    def embed(self, inputs: tf.Tensor | Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Returns the embeddings Z [batch, N, embed_dim] of clips, at inference."""
        return self.project(endpoints(self.backbone, self.clip(inputs))["head"])

    def project(self, features: tf.Tensor) -> tf.Tensor:
        """Maps the backbone's last features [batch, time, 1, 1, channels] to Z."""
        return self.affine(tf.squeeze(features, axis=(2, 3)))


def _head_on_embeddings(config, frames):
    head = config.head
    make = {
        "mean": layers.MeanHead,
        "transformer": layers.TemporalTransformerHead,
        "causal_transformer": layers.CausalTemporalTransformerHead,
    }[head.type]
    if make is not layers.MeanHead:
        make = functools.partial(
            make,
            depth=head.depth,
            num_heads=head.num_heads,
            mlp_dim=head.mlp_dim,
            stochastic_depth_drop_rate=head.stochastic_depth_drop_rate,
        )
    return make(
        num_classes=config.num_classes,
        frames=frames,
        dropout_rate=head.dropout_rate,
        name="head",
    )
