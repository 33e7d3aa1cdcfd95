"""Tests of importing PyTorch weights."""

import dataclasses
import functools
import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from published_torch_shapes import PRESETS, published_shapes
from torch_archives import write_snapshot

from grw_tf.layers import transformer_head
from grw_tf.models import ModelConfig, StreamingModel, build_model, preset
from grw_tf.weights.restore import restore
from grw_tf.weights.saved_variables import SavedVariables
from grw_tf.weights.torch import importing
from grw_tf.weights.torch.importing import import_torch_weights

DATA = pathlib.Path(__file__).parents[1] / "data"
ENDPOINTS = ("stem", "block0_layer0", "block2_layer0", "block4_layer3", "head")


@pytest.fixture(scope="module")
def outputs(shared):
    """What the published code gives for the published-like random weights."""
    return np.load(shared / "vectors" / "a0s_random_outputs.npz")


@pytest.fixture(scope="module")
def imported(shared, tmp_path_factory):
    """The folder of the imported random A0S, and what was imported."""
    folder = tmp_path_factory.mktemp("imported")
    path = shared / "vectors" / "a0s_random.pt"
    return folder, import_torch_weights(path, folder)


def _built(imported):
    """Builds the imported model for the 8 frames of the outputs."""
    folder, weights = imported
    model = build_model(dataclasses.replace(weights.config, frames=8))
    assert not restore(model, folder).own
    return model


@pytest.fixture(scope="module")
def model(imported):
    return _built(imported)


def _clips(outputs, dtype="float32"):
    return tf.constant(outputs["X"].transpose(0, 1, 3, 4, 2), dtype)


@pytest.mark.slow
def test_what_was_imported_is_told(imported):
    assert imported[1].text() == (
        "a0s, transformer head (embed_dim 480, depth 2, num_heads 8, mlp_dim 512), 600"
        " classes; EMA weights (its model weights left out): 417 tensors used once"
        " each, 62 counters of batch norm's steps left out."
    )


@pytest.mark.slow
def test_config_is_in_the_checkpoint_and_beside_it(imported):
    folder, weights = imported
    text = (folder / "model_config.json").read_text()
    assert ModelConfig.from_json(text) == weights.config
    assert SavedVariables(str(folder / "ckpt-1")).config == weights.config
    assert weights.config.smoothing.window == 4


def test_features_embeddings_and_logits_equal_pytorch(model, outputs):
    clips = _clips(outputs)
    endpoints, _ = model.backbone(clips, training=False)
    for name in ENDPOINTS:
        wanted = outputs[f"f/{name}"]
        found = np.reshape(endpoints[name], wanted.shape)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-5, err_msg=name)
    z = outputs["Z"].reshape(2, 8, -1)
    np.testing.assert_allclose(model.embed(clips), z, rtol=0, atol=2e-5)
    np.testing.assert_allclose(model(clips), outputs["logits"], rtol=0, atol=2e-5)


@pytest.mark.slow
def test_stream_gives_the_logits_of_pytorch(model, outputs):
    stream = StreamingModel(model)
    step = tf.function(stream.step, autograph=False)
    clips, states = _clips(outputs), stream.initial_states(2)
    for frame in range(8):
        _, states = step(clips[:, frame : frame + 1], states)
    logits = stream.classify(states)
    np.testing.assert_allclose(logits, outputs["logits"], rtol=0, atol=2e-5)


@pytest.fixture
def float64_everywhere():
    policy = tf_keras.mixed_precision.global_policy()
    tf_keras.backend.set_floatx("float64")
    tf_keras.mixed_precision.set_global_policy("float64")
    yield
    tf_keras.backend.set_floatx("float32")
    tf_keras.mixed_precision.set_global_policy(policy)


@pytest.mark.slow
def test_float64_model_equals_pytorch(
    imported, outputs, float64_everywhere, monkeypatch
):
    # The published positions are float32 whatever the model is, and PyTorch's own
    # float32 sine, cosine and power round unlike others'.
    positions = np.load(DATA / "torch_positions.npy")
    monkeypatch.setattr(transformer_head, "sincos_positions", lambda *_: positions)
    model = _built(imported)
    clips = _clips(outputs, "float64")
    endpoints, _ = model.backbone(clips, training=False)
    found = {
        "head64": np.reshape(endpoints["head"], (2, 8, 480)),
        "Z64": np.reshape(model.embed(clips), outputs["Z64"].shape),
        "logits64": model(clips),
    }
    for name, value in found.items():
        assert np.abs(value - outputs[name]).max() < 1e-10, name


def _random(shapes, seed):
    """Returns random tensors of a state dict's shapes; variances are positive."""
    rng = np.random.default_rng(seed)
    return {
        key: np.array(7, np.int64)
        if key.endswith("num_batches_tracked")
        else (np.abs if key.endswith("running_var") else np.asarray)(
            rng.normal(size=shape).astype("float32")
        )
        for key, shape in shapes.items()
    }


def _resized(shapes, embed_dim, depth, mlp_dim, classes):
    """Returns the shapes with another head; those of the lists are placeholders."""
    width = shapes["ln.weight"][0]
    backbone = "video_backbone._encoder."
    resized = {}
    for key, shape in shapes.items():
        if key == f"{backbone}classifier.weight":
            shape = (embed_dim, width)
        elif key.startswith("attention.linear_head"):
            shape = (classes, embed_dim)[: len(shape)]
        elif not key.startswith(backbone) or key == f"{backbone}classifier.bias":
            sizes = {width: embed_dim, 3 * width: 3 * embed_dim, 1024: mlp_dim}
            shape = tuple(sizes[size] for size in shape)
        for layer in range(depth if ".layers.0." in key else 1):
            resized[key.replace(".layers.0.", f".layers.{layer}.")] = shape
    return resized


# From the names that Keras gives variables to patterns of PyTorch's keys.
RENAMED = [
    (r":0$", ""),
    (r"^stem/stem/", "CONV1/"),
    (r"^head/project/", "CONV7/"),
    (r"^block(\d)_layer(\d+)/(bneck/)?", r"BLOCKS.b\1_l\2/"),
    (r"/scale$", "/alpha"),
    (r"/skip/skip_project/", "/res.[01]/"),
    (r"/se/se_reduce/", "/se.fc1/"),
    (r"/se/se_expand/", "/se.fc2/"),
    (r"/expansion/", "/expand/"),
    (r"/feature/", "/deep/"),
    (r"/projection/", "/project/"),
    (r"/(conv2d_temporal/)bn_temporal/", "/conv_2/norm/"),
    (r"/(conv2d/)?bn/", "/conv_1/norm/"),
    (r"/conv2d_temporal/\w+/", "/conv_2/conv2d/"),
    (r"/conv2d/\w+/(?=\w+$)", "/conv_1/conv2d/"),
    (r"/conv3d/", "/conv_1/conv3d/"),
    (r"^([A-Z])", r"video_backbone._encoder.\1"),
    (r"^affine/", "video_backbone._encoder.classifier/"),
    (r"^head/block(\d)/", r"attention.transformer.layers.\1/"),
    (r"^head/input_norm", "ln"),
    (r"^head/output_norm", "attention.transformer.norm"),
    (r"^head/classifier", "attention.linear_head"),
    (r"/attention/(query|key|value)/", "/1.in_proj_"),
    (r"/attention/output/", "/1.out_proj/"),
    (r"/attention_norm/", "/0/"),
    (r"/mlp_norm/", "/2.net.0/"),
    (r"/mlp_hidden/", "/2.net.1/"),
    (r"/mlp_output/", "/2.net.3/"),
    (r"(depthwise_kernel|kernel|gamma)$", "weight"),
    (r"beta$", "bias"),
    (r"moving_mean$", "running_mean"),
    (r"moving_variance$", "running_var"),
    (r"/", "."),
]


def _expected(weight, tensors):
    """Returns a weight's value and its tensor's key, found by the weight's name."""
    pattern = weight.name
    for ours, theirs in RENAMED:
        pattern = re.sub(ours, theirs, pattern)
    keys = [k for k in tensors if re.fullmatch(pattern, k, re.IGNORECASE)]
    assert len(keys) == 1, (weight.name, pattern, keys)
    value = tensors[keys[0]]
    if "in_proj" in pattern:
        part = ("query", "key", "value").index(weight.name.split("/")[-2])
        value = np.split(value, 3)[part]
    if value.ndim == 4 and "depthwise" in weight.name:
        return np.einsum("oihw->hwoi", value), keys[0]
    axes = {2: "oi->io", 4: "oihw->hwio", 5: "oidhw->dhwio"}.get(value.ndim)
    return np.einsum(axes, value) if axes else value, keys[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, embed_dim, depth, package, weights",
    [
        ("a1s", 600, 1, "grw_smoothing_models", "ema"),
        ("a2s", 512, 2, "video_retrieval", "model"),
        ("a3b", 256, 2, "grw_smoothing_models", "ema"),
    ],
)
def test_every_published_model_is_mapped_wholly(
    shared, tmp_path, monkeypatch, name, embed_dim, depth, package, weights
):
    # Building takes longest, so the import and the test share a model.
    build_once = functools.cache(build_model)
    monkeypatch.setattr(importing, "build_model", build_once)
    shapes = _resized(published_shapes(shared, name), embed_dim, depth, 96, 11)
    states = {"model": _random(shapes, 0), "ema": _random(shapes, 1)}
    params = dict(embed_dim=embed_dim, depth=depth)
    params |= dict(num_heads=4, mlp_dim=96, num_classes=11)
    path = tmp_path / "published.pt"
    write_snapshot(path, states["model"], states["ema"], params, name, package)
    imported = import_torch_weights(path, tmp_path / "out", weights)
    assert imported.text().startswith(
        f"{name}, transformer head (embed_dim {embed_dim}, depth {depth}, num_heads 4,"
        " mlp_dim 96), 11 classes"
    )
    model = build_once(imported.config)
    model.set_weights([np.full(w.shape, np.nan) for w in model.weights])
    tf.train.Checkpoint(model=model).restore(
        str(tmp_path / "out" / "ckpt-1")
    ).expect_partial().assert_existing_objects_matched()
    keys = set()
    for weight in [*model.backbone.weights, *model.affine.weights, *model.head.weights]:
        wanted, key = _expected(weight, states[weights])
        np.testing.assert_array_equal(weight, wanted, err_msg=weight.name)
        keys.add(key)
    assert keys | set(imported.left_out) == set(shapes)
    assert imported.config.backbone == preset(PRESETS[name]).backbone
