"""Tests of custom layers as regularizers."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from everyday import slow_but

from grw_tf.layers.unregistered import Unregistered
from grw_tf.models import BackboneConfig, ModelConfig, RegularizationConfig, build_model
from grw_tf.models.registered_layer import make_registered_layer
from grw_tf.models.regularization_config import OwnLayerConfig, parse_arguments
from grw_tf.training.experiments.checks import check_experiment
from grw_tf.training.experiments.video_classification import experiment, fill_in


@tf_keras.utils.register_keras_serializable(package="own_layer_test")
class Doubling(tf_keras.layers.Layer):
    """Doubles its input while training."""

    def call(self, inputs, training=None):
        return 2 * inputs if training else inputs


DOUBLING = "own_layer_test>Doubling"


def _config(layer, methods=("own_layer",), model_id="slowonly_nano", **fields):
    own = OwnLayerConfig(layer=layer, **fields)
    return ModelConfig(
        backbone=BackboneConfig.of_family(model_id),
        regularization=RegularizationConfig(methods=methods, own_layer=own),
        num_classes=3,
        frames=4,
        size=32,
    )


def _placed(model):
    return [
        layer.before
        for layer in model.submodules
        if getattr(layer, "before", None) is not None
    ]


@pytest.mark.parametrize("model_id", slow_but(["nano"], ["slowonly_nano", "nano"]))
def test_layer_acts_in_training_alone_where_it_is_put(model_id):
    places = {"slowonly_nano": ("res5",), "nano": ("block1_layer1",)}[model_id]
    config = _config(DOUBLING, model_id=model_id, blocks=places)
    model = build_model(config)
    assert len(_placed(model)) == {"slowonly_nano": 2, "nano": 4}[model_id]
    for layer in _placed(model):
        shape = {"time": (4, 5, 5, 6), "space": (1, 4, 25, 6)}.get(
            getattr(layer, "fold", None), (1, 4, 5, 5, 6)
        )
        ones = tf.ones(shape)
        np.testing.assert_array_equal(layer(ones, training=True), 2 * ones)
        np.testing.assert_array_equal(layer(ones, training=False), ones)


def test_layers_of_keras_go_by_their_names():
    config = OwnLayerConfig(layer="SpatialDropout3D", arguments="rate=0.25")
    layer = make_registered_layer(config)
    assert isinstance(layer, tf_keras.layers.SpatialDropout3D)
    assert layer.rate == 0.25


def test_model_without_the_layers_module_is_evaluated_and_not_trained():
    model = build_model(_config("gone>Layer"))
    plain = build_model(_config("", methods=()))
    model.set_weights(plain.get_weights())
    assert {type(layer) for layer in _placed(model)} == {Unregistered}
    clips = tf.random.uniform((2, 4, 32, 32, 3))
    np.testing.assert_array_equal(model(clips), plain(clips))
    with pytest.raises(ValueError, match="No layer 'gone>Layer' is registered"):
        model(clips, training=True)


def test_training_without_the_layers_module_is_refused_before_it_begins():
    params = experiment("slowonly_34")
    regularization = {"methods": ["own_layer"], "own_layer": {"layer": "gone>Layer"}}
    params.task.model.regularization.override(regularization)
    fill_in(params)
    with pytest.raises(ValueError, match="own_layer.layer is 'gone>Layer': it must be"):
        check_experiment(params)
    params.task.model.regularization.own_layer.layer = DOUBLING
    check_experiment(params)


@pytest.mark.parametrize(
    ("layer", "arguments", "message"),
    [
        (DOUBLING, "rate=0.1", "arguments 'rate=0.1' do not fit .*Doubling: .*rate"),
        ("SpatialDropout3D", "rate=2", "do not fit SpatialDropout3D: .*between 0"),
        ("Dense", "units=3", "layer Dense has 2 variables: regularizers have none"),
        (
            "MaxPooling3D",
            "",
            r"MaxPooling3D\(\) turns .* into \(2, 1, 2, 2, 4\)",
        ),
        ("SpatialDropout2D", "rate=0.1", "rate=0.1. cannot be called on .*ndim=5"),
        ("SpatialDropout3D", "rate='x'", "rate='x'. cannot be called on"),
        ("Reshape", "target_shape=(2,)", r"Reshape.* cannot be called on"),
        ("AbstractRNNCell", "", r"AbstractRNNCell\(\) cannot be called on"),
    ],
)
def test_unusable_layers_are_refused_in_one_line(layer, arguments, message):
    with pytest.raises(ValueError, match=message) as caught:
        make_registered_layer(
            OwnLayerConfig(layer=layer, arguments=arguments), channels=4
        )
    assert str(caught.value).isprintable()


def test_method_without_a_layer_is_refused():
    with pytest.raises(ValueError, match="own_layer has no layer: give the name"):
        RegularizationConfig(methods=("own_layer",))


def test_two_before_one_batch_normalization_are_refused():
    both = _config(DOUBLING, methods=("rms", "own_layer"))
    with pytest.raises(ValueError, match="own_layer and .*rms come before the same"):
        build_model(both)
    elsewhere = dataclasses.replace(both.regularization.own_layer, blocks=("res3",))
    regularization = dataclasses.replace(both.regularization, own_layer=elsewhere)
    build_model(dataclasses.replace(both, regularization=regularization))


def test_arguments_are_read_as_pythons():
    text = "rate=0.1, level='clip', sizes=(1, 2)"
    assert parse_arguments(text) == {"rate": 0.1, "level": "clip", "sizes": (1, 2)}
    assert parse_arguments("") == {}


@pytest.mark.parametrize("text", ["0.1", "rate=", "rate=f(1)", "**a", "a=1)(", "a=b"])
def test_texts_that_are_no_arguments_are_refused(text):
    with pytest.raises(ValueError, match="own_layer.arguments: .* is not of the form"):
        OwnLayerConfig(layer=DOUBLING, arguments=text)
