"""Tests of the classifiers, against the Model Garden's own."""

import re

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from everyday import slow_but
from official.projects.movinet.modeling import movinet, movinet_model
from random_weights import randomize

from grw_tf.models import HeadConfig, SmoothingConfig, build_model, preset
from grw_tf.models.backbone import endpoint_channels, endpoints
from grw_tf.models.config import HEAD_TYPES

TRANSFORMER = HeadConfig(type="transformer", embed_dim=16, num_heads=2, mlp_dim=32)
CAUSAL = HeadConfig(type="causal_transformer", embed_dim=16, num_heads=2, mlp_dim=32)
MEAN = HeadConfig(type="mean", embed_dim=16)


@pytest.fixture(scope="module")
def garden():
    """The Model Garden's classifier with the settings of the `nano` model."""
    backbone = movinet.Movinet(
        model_id="nano",
        causal=True,
        conv_type="2plus1d",
        se_type="2plus3d",
        activation="hard_swish",
        gating_activation=tf_keras.activations.hard_sigmoid,
    )
    return movinet_model.MovinetClassifier(backbone, num_classes=5)


def _path(weight):
    """Returns a weight's name without the number of its model in this process."""
    return re.sub(r"^classifier_head_\d+", "classifier_head", weight.name)


def test_official_model_has_the_garden_variables(nano, garden):
    assert [(_path(w), w.shape) for w in nano().weights] == [
        (_path(w), w.shape) for w in garden.weights
    ]


def _assert_equal_but_for_rounding(actual, expected):
    # Normalization and 3-D convolutions are computed by other operations.
    atol = 1e-6 * np.abs(expected).max()
    np.testing.assert_allclose(actual, expected, rtol=0, atol=atol)


def test_garden_reads_our_checkpoint_and_gives_its_logits(nano, garden, clip, tmp_path):
    path = tf.train.Checkpoint(model=nano()).save(tmp_path / "ours")
    status = tf.train.Checkpoint(model=garden).restore(path)
    status.assert_existing_objects_matched()
    _assert_equal_but_for_rounding(garden({"image": clip}), nano()(clip))


@pytest.mark.slow
def test_a_garden_checkpoint_is_read_and_gives_its_logits(nano, garden, clip, tmp_path):
    randomize(garden, seed=1)
    path = tf.train.Checkpoint(model=garden).save(tmp_path / "garden")
    model = nano(scratch=True)
    status = tf.train.Checkpoint(model=model).restore(path)
    status.assert_existing_objects_matched()
    _assert_equal_but_for_rounding(model(clip), garden({"image": clip}))


@pytest.mark.slow
def test_smoothing_changes_no_output_and_adds_moving_statistics_only(nano, clip):
    smoothing = SmoothingConfig(layers=("stem", "block1_layer1"), window=4)
    model = nano(scratch=True, smoothing=smoothing)
    plain = {_path(weight): weight for weight in nano().weights}
    added = []
    for weight in model.weights:
        if _path(weight) in plain:
            weight.assign(plain.pop(_path(weight)))
        else:
            added.append(weight.name)
    assert not plain
    assert sorted(added) == [
        f"grw_{place}/batch_norm/moving_{kind}:0"
        for place in sorted(smoothing.layers)
        for kind in ("mean", "variance")
    ]
    np.testing.assert_array_equal(model(clip), nano()(clip))


@pytest.mark.slow
@pytest.mark.parametrize(
    "head",
    slow_but([TRANSFORMER], [MEAN, TRANSFORMER, CAUSAL]),
    ids=lambda head: head.type,
)
def test_final_smoothing_adds_no_variable(nano, head):
    smooth = nano(head=head, smoothing=SmoothingConfig(layers=("final",), window=4))
    assert [w.name for w in smooth.weights] == [w.name for w in nano(head=head).weights]


def test_logits_come_from_the_embeddings(nano, clip):
    model = nano(head=TRANSFORMER)
    np.testing.assert_array_equal(model(clip), model.head(model.embed(clip)))


def test_logits_of_a_mean_head_are_linear_in_the_mean_of_the_embeddings(nano, clip):
    model = nano(head=MEAN)
    kernel, bias = model.head.get_weights()
    logits = model.embed(clip).numpy().mean(axis=1) @ kernel + bias
    np.testing.assert_allclose(model(clip), logits, rtol=1e-5, atol=1e-5)


def test_embeddings_of_a_mean_head_are_affine_in_the_features(nano, clip):
    model = nano(head=MEAN)
    kernel, bias = model.affine.get_weights()
    features = endpoints(model.backbone, clip)["head"].numpy()[:, :, 0, 0]
    z = features @ kernel + bias
    np.testing.assert_allclose(model.embed(clip), z, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_embeddings_have_the_backbones_width_by_default(nano, clip):
    model = nano(head=HeadConfig(type="mean"))
    assert model.embed(clip).shape[-1] == endpoint_channels(model.backbone)["head"]


def test_embeddings_keep_time(nano, clip):
    z = nano(head=TRANSFORMER).embed(clip).numpy()
    assert z.shape == (2, 8, 16)
    assert (np.abs(np.diff(z, axis=1)).max(axis=(0, 2)) > 1e-3).all()


def test_clips_may_come_as_the_image_of_a_dict(nano, clip):
    for model in (nano(), nano(head=TRANSFORMER)):
        np.testing.assert_array_equal(model({"image": clip}), model(clip))


@pytest.mark.parametrize(
    "shape", [(2, 7, 32, 32, 3), (2, 8, 32, 40, 3), (2, 8, 32, 32, 1), (8, 32, 32, 3)]
)
def test_clips_that_the_config_does_not_describe_are_refused(nano, shape):
    for model in (nano(), nano(head=TRANSFORMER)):
        with pytest.raises(
            ValueError, match=r"clips \[batch, 8, 32, 32, 3\] .* got \("
        ):
            model(np.zeros(shape, "float32"))


def _smoothing(*layers):
    return SmoothingConfig(layers=layers, window=4)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"backbone": {"model_id": "a9"}}, "Unknown model_id 'a9'; known: a0, a1"),
        (
            {"backbone": {"gating_activation": "hard_sigmoid"}},
            "'hard_sigmoid'; known: hard_sigmoid_keras, hard_sigmoid_relu6, sigmoid",
        ),
        (
            {"backbone": {"causal": False, "use_positional_encoding": True}},
            "use_positional_encoding=True needs causal=True",
        ),
        pytest.param(
            {"smoothing": _smoothing("block9_layer0")},
            "'block9_layer0' .* known: stem, block0_layer0, .*block1_layer1",
            marks=pytest.mark.slow,
        ),
        (
            {"smoothing": _smoothing("final")},
            r"'final' for head.type='official' \('final' is the embedding of a",
        ),
        pytest.param(
            {"head": TRANSFORMER, "smoothing": _smoothing("finale")},
            "'finale' for head.type='transformer'; known: stem, .*head, final",
            marks=pytest.mark.slow,
        ),
        (
            {"head": HeadConfig(type="transformer", embed_dim=15, num_heads=5)},
            "even embed_dim of at least 4, got embed_dim=15",
        ),
        pytest.param(
            {"head": HeadConfig(type="causal_transformer", embed_dim=16, num_heads=3)},
            "num_heads must divide embed_dim, got embed_dim=16 and num_heads=3",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_configs_that_cannot_be_built_are_refused(nano, fields, message):
    with pytest.raises(ValueError, match=message):
        nano(**fields)


@pytest.mark.slow
def test_a0_has_the_published_embeddings_shape():
    model = build_model(preset("a0_stream_grw", frames=5, size=64))
    assert model.embed(np.zeros((1, 5, 64, 64, 3), "float32")).shape == (1, 5, 480)


@pytest.mark.parametrize(
    "head", slow_but(["transformer"], ["official", "mean", "transformer"])
)
def test_model_is_saved_whole_and_loaded(nano, clip, tmp_path, head):
    model = nano(fresh=True, head=HeadConfig(type=head, num_heads=2))
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = tf_keras.models.load_model(path)
    assert loaded.config == model.config
    np.testing.assert_array_equal(loaded(clip), model(clip))


def test_files_of_transformer_models_name_the_class_as_ever(nano):
    name = tf_keras.utils.get_registered_name(type(nano(head=TRANSFORMER)))
    assert name == "grw_tf>TransformerClassifier"


@pytest.mark.slow
@pytest.mark.parametrize("head", slow_but(["transformer"], HEAD_TYPES))
def test_shapes_that_the_input_does_not_know_come_from_the_config(nano, clip, head):
    places = ("stem",) if head == "official" else ("stem", "final")
    model = nano(
        head=HeadConfig(type=head, num_heads=2),
        smoothing=SmoothingConfig(layers=places, window=4),
    )
    unknown = tf.TensorSpec((None, None, None, None, 3), tf.float32)
    step = tf.function(lambda x: model(x, training=True), input_signature=[unknown])
    assert step(clip).shape == (2, 5)
    assert len(model.losses) == len(places)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"expected .*8,32,32,3"):
        step(clip[:, 1:])
