"""Tests of ImageNet weights for MobileNetV3, without a network."""

import shutil
import types

import h5py
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from random_weights import randomize
from toy_backbones import BACKBONES

from grw_tf.models import preset
from grw_tf.models.backbone import endpoints
from grw_tf.weights.model_variables import model_layout
from grw_tf.weights.restore import restore

FILE = "weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5"


@pytest.fixture(scope="module")
def official():
    """The network of Keras Applications, of frames in 0..255."""
    network = tf_keras.applications.MobileNetV3Small(
        input_shape=(32, 32, 3), include_top=False, weights=None
    )
    randomize(network, seed=1)
    return network


@pytest.fixture(scope="module")
def weights_file(official, tmp_path_factory):
    path = tmp_path_factory.mktemp("keras") / "small.h5"
    official.save_weights(path)
    return path


@pytest.fixture(scope="module")
def model(nano):
    return nano(scratch=True, backbone=BACKBONES["mobilenet_v3_small"])


@pytest.mark.slow
def test_network_sees_what_that_of_keras_applications_sees(
    model, official, weights_file, clip
):
    restored = restore(model, weights_file)
    layout = model_layout(model.config)
    assert set(restored.names) == {n for n in layout if n.startswith("backbone/")}
    assert set(restored.own) == {n for n in layout if n.startswith("head/")}
    assert restored.message == (
        f"{weights_file}: restored all {len(restored.names)} variables of the backbone;"
        " no head that fits: the model keeps its own official head of 5 classes."
    )
    features = official(255 * clip.reshape((-1, 32, 32, 3)))
    wanted = np.mean(features, (1, 2)).reshape((2, 8, 1, 1, -1))
    found = endpoints(model.backbone, clip)["head"]
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4 * wanted.std())


@pytest.mark.slow
def test_imagenet_is_fetched_as_keras_applications_fetches(
    model, weights_file, monkeypatch
):
    asked = []

    def get_file(name, url, **arguments):
        asked.append((name, url, arguments))
        return str(weights_file)

    monkeypatch.setattr(tf_keras.utils, "get_file", get_file)
    for weight in model.backbone.weights:
        weight.assign(tf.zeros_like(weight))
    restored = restore(model, "imagenet")
    count = len(model.backbone.weights)
    assert restored.message.startswith(f"imagenet: restored all {count} variables")
    assert not any(np.all(weight == 0) for weight in model.backbone.weights)
    url = "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v3/"
    arguments = dict(
        cache_subdir="models", file_hash="d3e8ec802a04aa4fc771ee12a9a9b836"
    )
    assert asked == [(FILE, url + FILE, arguments)]


@pytest.mark.parametrize(
    "error, reason",
    [
        (
            Exception("URL fetch failure on https://x: None -- [Errno -2] Unknown"),
            r"\[Errno -2\] Unknown",
        ),
        (ValueError("Incomplete or corrupted file\nof"), "Incomplete or corrupted fi"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_failed_download_says_what_to_do(model, monkeypatch, error, reason):
    def get_file(*_, **__):
        raise error

    monkeypatch.setattr(tf_keras.utils, "get_file", get_file)
    with pytest.raises(OSError, match=reason) as caught:
        restore(model, "imagenet")
    (line,) = str(caught.value).splitlines()
    assert "cannot be downloaded" in line
    assert f".keras/models as {FILE}, or give its path as init_checkpoint." in line


@pytest.mark.parametrize(
    "name, model_id", [("a0_stream", "a0"), ("slowonly_50", "slowonly_50")]
)
@pytest.mark.parametrize("given", ["imagenet", "small.h5"])
def test_other_families_are_refused_in_one_line(name, model_id, given):
    model = types.SimpleNamespace(config=preset(name))
    with pytest.raises(ValueError, match=f"^{given} is .* is {model_id}: give"):
        restore(model, given)


def _with_top(path):
    with h5py.File(path, "a") as file:
        for layer in ("Conv_2", "Logits"):
            names = [f"{layer}/kernel:0", f"{layer}/bias:0"]
            group = file.create_group(layer)
            group.attrs["weight_names"] = names
            for name in names:
                group[name] = np.zeros(3, "float32")
        layers = file.attrs["layer_names"]
        file.attrs["layer_names"] = [*layers, "Conv_2", "Logits"]


def _other_sizes(path):
    with h5py.File(path, "a") as file:
        del file["Conv/Conv/kernel:0"]
        file["Conv/Conv/kernel:0"] = np.zeros((3, 3, 3, 8), "float32")
        file["Conv/BatchNorm"].attrs["weight_names"] = []


def _not_finite(path):
    with h5py.File(path, "a") as file:
        file["Conv/BatchNorm/Conv/BatchNorm/gamma:0"][0] = np.nan


def _text(path):
    path.write_text("weights")


def _empty(path):
    h5py.File(path, "w").close()


def _nothing(path):
    path.unlink()


@pytest.mark.parametrize(
    "change, error, message",
    [
        (_with_top, ValueError, r"without its top .*unused 4 Conv_2/kernel, Conv_2/bi"),
        (
            *(_other_sizes, ValueError),
            r"missing 4 .*; shape differs 1 Conv/kernel \(saved \[3, 3, 3, 8\], model",
        ),
        (_not_finite, ValueError, "not finite in Conv/BatchNorm/gamma"),
        (_text, ValueError, "is not a weights file of Keras"),
        (_empty, ValueError, "is not a weights file of Keras"),
        (_nothing, OSError, "cannot be read: .*No such file"),
    ],
)
def test_another_file_is_refused_and_nothing_changed(
    model, weights_file, tmp_path, change, error, message
):
    before = model.get_weights()
    shutil.copy(weights_file, tmp_path / "w.h5")
    change(tmp_path / "w.h5")
    with pytest.raises(error, match=message) as caught:
        restore(model, tmp_path / "w.h5")
    assert str(caught.value).startswith(f"{tmp_path}/w.h5 ")
    assert "\n" not in str(caught.value)
    for value, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, other)
