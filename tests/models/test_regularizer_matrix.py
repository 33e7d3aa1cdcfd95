"""Each backbone with each regularizer: trains two steps, then streams or classifies."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
import toy_backbones
from toy_backbones import BASE

from grw_tf.models import (
    BackboneConfig,
    HeadConfig,
    ModelConfig,
    RegularizationConfig,
    SmoothingConfig,
    StreamingModel,
    build_model,
)
from grw_tf.models.batch_normalization import batch_normalizations

MOVINETS = {
    "2plus1d": {},
    "3d_2plus1d": {"conv_type": "3d_2plus1d"},
    "causal_3d": {"conv_type": "3d"},
    "base": BASE,
}
OTHERS = (
    *toy_backbones.OTHERS,
    *("mobilenet_v3_large", "tsm_mobilenet_v3_small"),
)
BACKBONES = {
    **{n: BackboneConfig(**{"model_id": "nano"} | f) for n, f in MOVINETS.items()},
    **{name: BackboneConfig.of_family(name) for name in OTHERS},
}
# Name: endpoints to smooth, head and methods.
REGULARIZERS = {
    "grw+rms": (("final",), "transformer", ("rms",)),
    "none": ((), "official", ()),
    "grw": (("final",), "causal_transformer", ()),
    "rms": ((), "official", ("rms",)),
    "random_drop": ((), "official", ("random_drop",)),
    "shake_drop": ((), "official", ("shake_drop",)),
    "intermediate grw+rms+shake_drop": (
        ("last block",),
        "official",
        ("rms", "shake_drop"),
    ),
    "all": (("last block", "final"), "causal_transformer", ("rms", "random_drop")),
}
LAST_BLOCK = {
    **dict.fromkeys(MOVINETS, "block1_layer1"),
    **dict.fromkeys(OTHERS[:2], "res5"),
    "slowfast_nano": "fast_res5",
    "csn_nano": "res5",
    "mobilenet_v3_small": "block10",
    "mobilenet_v3_large": "block14",
    "tsm_mobilenet_v3_small": "block10",
}
FRAMES = dict.fromkeys(BACKBONES, 4) | {"csn_nano": 32}
"""For a window of 4 frames where there are fewest."""
# The rest takes minutes.
DEFAULT = [
    ("2plus1d", "grw+rms"),
    ("slowonly_nano", "intermediate grw+rms+shake_drop"),
]


def _check(backbone, regularizer):
    layers, head, methods = REGULARIZERS[regularizer]
    layers = tuple(LAST_BLOCK[backbone] if n == "last block" else n for n in layers)
    tf_keras.utils.set_random_seed(0)
    model = build_model(
        ModelConfig(
            backbone=BACKBONES[backbone],
            head=HeadConfig(type=head, num_heads=4, mlp_dim=16),
            smoothing=SmoothingConfig(layers=layers, window=4),
            regularization=RegularizationConfig(methods=methods),
            num_classes=3,
            frames=FRAMES[backbone],
            size=32,
        )
    )
    clips = tf.random.uniform((2, FRAMES[backbone], 32, 32, 3))
    _enliven(model, clips)
    losses, moved = _train(model, clips, tf.constant([0, 2]))
    assert np.isfinite(losses).all()
    assert moved > 0
    if methods:
        # Drops may leave or drop the same blocks twice.
        draws = [model(clips, training=True).numpy() for _ in range(4)]
        assert np.ptp(draws, axis=0).max() > 1e-4
    logits = model(clips).numpy()
    assert logits.shape == (2, 3) and np.isfinite(logits).all()
    # Logits depend on the clips, far beyond the tolerance below.
    assert np.abs(logits - model(clips[::-1]).numpy()).max() > 1e-2
    if model.config.backbone.causal:
        np.testing.assert_allclose(_stream(model, clips), logits, atol=2e-5)
    else:
        np.testing.assert_array_equal(model(clips), logits)


def _enliven(model, clips):
    """Moves a new model's weights so that every part affects its logits."""
    for weight in model.weights:
        # Some branches begin at 0, and some weights all begin at one value.
        if weight.shape.rank < 2 and weight.trainable:
            weight.assign_add(tf.random.uniform(weight.shape, 0.2, 0.5))
    norms = batch_normalizations(model.backbone)
    momentum = [norm.momentum for norm in norms]
    # Statistics of these very clips, so that no feature vanishes on the way.
    for norm in norms:
        norm.momentum = 0.0
    model(clips, training=True)
    for norm, kept in zip(norms, momentum, strict=True):
        norm.momentum = kept


def _train(model, clips, labels):
    """Trains two steps; returns losses and how far the backbone's weights moved."""
    optimizer = tf_keras.optimizers.legacy.SGD(0.01)

    before = [w.numpy() for w in model.backbone.trainable_variables]
    losses = []
    for _ in range(2):
        with tf.GradientTape() as tape:
            logits = model(clips, training=True)
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            )
            total = tf.add_n([loss, *model.losses])
        weights = model.trainable_variables
        gradients, _ = tf.clip_by_global_norm(tape.gradient(total, weights), 1.0)
        optimizer.apply_gradients(zip(gradients, weights, strict=True))
        losses.append(float(total))
    assert len(model.losses) == len(model.config.smoothing.layers)
    after = model.backbone.trainable_variables
    moved = sum(
        np.abs(now.numpy() - then).sum()
        for now, then in zip(after, before, strict=True)
    )
    return losses, moved


def _stream(model, clips):
    stream = StreamingModel(model)
    states = stream.initial_states(len(clips))
    for frame in range(clips.shape[1]):
        logits, states = stream.step(clips[:, frame : frame + 1], states)
    return stream.classify(states) if logits is None else logits


@pytest.mark.parametrize(("backbone", "regularizer"), DEFAULT)
def test_regularizers_train_and_vanish(backbone, regularizer):
    _check(backbone, regularizer)


@pytest.mark.slow
@pytest.mark.parametrize("regularizer", REGULARIZERS)
@pytest.mark.parametrize("backbone", BACKBONES)
def test_each_regularizer_goes_with_each_backbone(backbone, regularizer):
    _check(backbone, regularizer)
