"""Exports a model with the Model Garden's own tools, for comparison.

As with its `export_saved_model.py` and TFLite's converter by default: built-in
operations, a static image [1, 1, size, size, 3] in 0..1, and 5-D states by name.
"""

import tensorflow as tf
import tf_keras
from official.projects.movinet.modeling import movinet, movinet_layers, movinet_model

from grw_tf.export.conversion import convert_functions, named
from grw_tf.models.block_specs import model_ids
from grw_tf.models.movinet_backbone import GATES
from grw_tf.models.streaming import StreamingModel, check_causal
from grw_tf.streaming.native_output import silenced

# Its export replaces "swish", which has a custom gradient.
_SIMPLE = {"swish": "simple_swish"}


def convert_stock(model: tf_keras.Model, dynamic: bool = False) -> bytes:
    """Converts a streaming model to TFLite as users of the Model Garden do.

    For the official head, it is the Model Garden's own classifier with the same
    weights. For heads on embeddings, which the Model Garden lacks, it is its backbone
    with external states and this project's head. Signature `step` is that of
    `grw_tf.export.conversion.convert`, except for the form of image and states. If
    `dynamic`, the converter's default optimization quantizes the weights.

    Raises:
        ValueError: If the model is not a causal MoViNet, or has convolutions that
            TFLite lacks.
    """
    config = model.config
    check_causal(config)
    if config.backbone.model_id not in model_ids():
        raise ValueError(
            f"A {config.backbone.model_id} has no stock export to compare with: the"
            " Model Garden only streams MoViNets; leave out --checkpoint_dir."
        )
    if config.backbone.conv_type == "3d":
        raise ValueError(
            "A model of conv_type=3d has no stock export: TFLite lacks its Conv3D."
        )
    if not config.head.embeds:
        specs, step, weights = _classifier_step(model)
    elif config.backbone.conv_type == "2plus1d":
        specs, step, weights = _embedding_step(model)
    else:
        raise ValueError(
            f"A model of conv_type={config.backbone.conv_type} with a"
            f" {config.head.type} head has no stock export: TFLite lacks its Conv3D."
        )
    image = tf.TensorSpec(_image_shape(config), tf.float32, "image")
    inputs = {"image": image, **named(specs)}
    step = tf.function(step, autograph=False, input_signature=[inputs])
    optimizations = [tf.lite.Optimize.DEFAULT] if dynamic else []
    # The converter warns of options that were not given.
    with silenced():
        return convert_functions({"step": step}, weights, optimizations)


def _stock_classifier(model):
    """Returns the Model Garden's classifier with external states and equal weights."""
    config = model.config
    settings = config.backbone
    image = tf_keras.layers.InputSpec(shape=_image_shape(config))
    backbone = movinet.Movinet(
        model_id=settings.model_id,
        causal=True,
        use_positional_encoding=settings.use_positional_encoding,
        # The equivalent of 3d_2plus1d that TFLite has operations for.
        conv_type="2plus1d",
        se_type=settings.se_type,
        input_specs=image,
        activation=_SIMPLE.get(settings.activation, settings.activation),
        gating_activation=GATES[settings.gating_activation],
        use_sync_bn=False,
        use_external_states=True,
    )
    stock = movinet_model.MovinetClassifier(
        backbone,
        num_classes=config.num_classes,
        output_states=True,
        input_specs={"image": image},
        activation=_SIMPLE.get(config.head.activation, config.head.activation),
    )
    (head,) = (
        layer
        for layer in stock.layers
        if isinstance(layer, movinet_layers.ClassifierHead)
    )
    for theirs, ours in ((backbone, model.backbone), (head, model.head)):
        for variable, value in zip(theirs.weights, ours.get_weights(), strict=True):
            variable.assign(value.reshape(variable.shape))
    return stock


def _classifier_step(model):
    stock = _stock_classifier(model)
    specs = stock.initial_state_specs(_image_shape(model.config))

    def step(inputs):
        logits, states = stock(inputs)
        return {**states, "logits": logits}

    return specs, step, stock.weights


def _embedding_step(model):
    stream = StreamingModel(model)

    def step(inputs):
        inputs = dict(inputs)
        logits, states = stream.step(inputs.pop("image"), inputs)
        return states if logits is None else {**states, "logits": logits}

    return stream.state_specs(), step, model.weights


def _image_shape(config):
    return (1, 1, config.size, config.size, 3)
