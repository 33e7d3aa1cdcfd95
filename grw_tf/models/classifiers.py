"""The two classifiers: the Model Garden's, and the published GRW models'."""

import tensorflow as tf
import tf_keras
from official.projects.movinet.modeling import movinet_layers, movinet_model

from grw_tf import layers
from grw_tf.models.backbone import build_backbone
from grw_tf.models.config import ModelConfig
from grw_tf.models.config_record import ConfigRecord
from grw_tf.models.inputs import ClipInput
from grw_tf.models.smoothing import FINAL, build_smoothing


@tf_keras.utils.register_keras_serializable(package="grw_tf")
class OfficialClassifier(ClipInput, ConfigRecord, movinet_model.MovinetClassifier):
    """The Model Garden's MoViNet classifier, with smoothing on backbone endpoints.

    Its variables are those of `MovinetClassifier`, besides the smoothing's own; so are
    its outputs.

    Args:
      config: the model's config, head.type "official".

    Call arguments:
      inputs: clips [batch, N, size, size, 3] in 0..1, or a dict with them as "image".
      training: whether dropout and smoothing act.

    Output shape: logits [batch, num_classes].
    """

    def __init__(self, config: ModelConfig):
        backbone = build_backbone(config.backbone, average_pooling_type="3d")
        super().__init__(
            backbone,
            num_classes=config.num_classes,
            activation=config.head.activation,
            dropout_rate=config.head.dropout_rate,
        )
        self.config = config
        self.smoothing = build_smoothing(config, _endpoint_shapes(backbone))
        (self.head,) = (
            layer
            for layer in self.layers
            if isinstance(layer, movinet_layers.ClassifierHead)
        )

    def call(self, inputs, training=None, mask=None):
        endpoints, _ = self.backbone(self.clip(inputs), training=training)
        for name, layer in self.smoothing.items():
            layer(endpoints[name], training=training)
        return self.head(endpoints["head"], training=training)


@tf_keras.utils.register_keras_serializable(package="grw_tf")
class TransformerClassifier(ClipInput, ConfigRecord, tf_keras.Model):
    """MoViNet, an affine map to embeddings Z, and a transformer head over time.

    Args:
      config: the model's config, head.type "transformer" or "causal_transformer".

    Call arguments:
      inputs: clips [batch, N, size, size, 3] in 0..1, or a dict with them as "image".
      training: whether dropout and smoothing act.

    Output shape: logits [batch, num_classes].

    Reference: Goldman et al., NeurIPS 2025, arXiv 2511.20928.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.backbone = build_backbone(config.backbone, average_pooling_type="2d")
        shapes = _endpoint_shapes(self.backbone)
        width = shapes["head"][-1]
        embed_dim = config.head.embed_dim or width
        self.affine = tf_keras.layers.Dense(embed_dim, name="affine")
        self.smoothing = build_smoothing(config, shapes)
        head_class = (
            layers.CausalTemporalTransformerHead
            if config.head.type == "causal_transformer"
            else layers.TemporalTransformerHead
        )
        self.head = head_class(
            num_classes=config.num_classes,
            frames=config.frames,
            depth=config.head.depth,
            num_heads=config.head.num_heads,
            mlp_dim=config.head.mlp_dim,
            dropout_rate=config.head.dropout_rate,
            stochastic_depth_drop_rate=config.head.stochastic_depth_drop_rate,
            name="head",
        )
        z = self.affine(tf_keras.Input((config.frames, width)))
        if FINAL in self.smoothing:
            z = self.smoothing[FINAL](z)
        self.head(z)
        self.built = True

    def call(self, inputs, training=None):
        endpoints, _ = self.backbone(self.clip(inputs), training=training)
        for name, layer in self.smoothing.items():
            if name != FINAL:
                layer(endpoints[name], training=training)
        z = self.project(endpoints["head"])
        if FINAL in self.smoothing:
            z = self.smoothing[FINAL](z, training=training)
        return self.head(z, training=training)

    def embed(self, inputs):
        """Returns the embeddings Z [batch, N, embed_dim] of clips, at inference."""
        endpoints, _ = self.backbone(self.clip(inputs), training=False)
        return self.project(endpoints["head"])

    def project(self, features):
        """Maps the backbone's last features [batch, time, 1, 1, channels] to Z."""
        return self.affine(tf.squeeze(features, axis=(2, 3)))

    @property
    def checkpoint_items(self):
        """What the Model Garden's trainer restores apart."""
        return {"backbone": self.backbone}


def _endpoint_shapes(backbone):
    endpoints, _ = backbone.output
    return {name: tuple(endpoint.shape) for name, endpoint in endpoints.items()}
