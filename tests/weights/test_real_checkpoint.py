"""Tests on a real trained A0-stream of today's Model Garden (relu6 gate), 7 classes."""

import dataclasses
import tarfile
import types

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from everyday import slow_but
from official.projects.movinet.modeling import movinet, movinet_model

from grw_tf.data.videos.clips import read_clip
from grw_tf.frames.geometry import FrameGeometry
from grw_tf.models import HeadConfig, StreamingModel, build_model, preset
from grw_tf.models.config import SmoothingConfig
from grw_tf.weights.inspection import inspect
from grw_tf.weights.model_variables import with_backbone
from grw_tf.weights.restore import restore

FRAMES = 12
CLASSES = 7


def _config(**changes):
    config = preset("a0_stream", num_classes=CLASSES, frames=FRAMES)
    config = with_backbone(config, gating_activation="hard_sigmoid_relu6")
    return dataclasses.replace(config, **changes)


@pytest.fixture(
    scope="module",
    params=["trained", pytest.param("trained_model_only", marks=pytest.mark.slow)],
)
def archive(shared, request):
    name = f"movinet_a0_stream_{request.param}.tar.gz"
    return shared / "data" / "real_a0_stream" / name


@pytest.fixture(scope="module")
def official_model():
    return build_model(_config())


@pytest.fixture(scope="module")
def clips(shared):
    """Real clips [20, frames, 172, 172, 3] in 0..1."""
    files = sorted((shared / "data" / "videos").glob("*/*.mp4"))
    chosen = files[:: len(files) // 20][:20]
    clips = [
        read_clip(file, FRAMES, 10.0, FrameGeometry(172, "square")) for file in chosen
    ]
    return np.stack(clips).astype("float32") / 255


def _litert_logits(path, clips):
    """Streams each clip through the .tflite; returns [clips, frames, classes]."""
    runner = Interpreter(str(path)).get_signature_runner("call")
    inputs = runner.get_input_details()
    logits = []
    for clip in clips:
        states = {
            name: np.zeros(detail["shape"], detail["dtype"])
            for name, detail in inputs.items()
            if name != "image"
        }
        for frame in clip:
            states = runner(image=frame[None, None], **states)
            logits.append(states.pop("logits")[0])
    return np.reshape(logits, (*clips.shape[:2], -1))


@pytest.mark.slow
def test_stream_agrees_with_the_tflite_of_the_same_network(
    archive, official_model, clips, shared
):
    restored = restore(official_model, archive)
    assert not restored.own
    stream = StreamingModel(official_model)
    step = tf.function(stream.step, autograph=False)
    states, logits = stream.initial_states(len(clips)), []
    for frame in range(FRAMES):
        now, states = step(tf.constant(clips[:, frame : frame + 1]), states)
        logits.append(now)
    ours = np.stack(logits, axis=1)
    path = shared / "data" / "real_a0_stream" / "a0_dynamic.tflite"
    theirs = _litert_logits(path, clips)
    agree = ours.argmax(-1) == theirs.argmax(-1)
    assert agree.mean() >= 0.95
    # Where int8 changes the order, the two likeliest classes were nearly as likely.
    second, first = np.sort(ours, axis=-1)[..., -2:].T
    assert (first - second).T[~agree].max(initial=0) < 0.2
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] >= 0.99


@pytest.mark.slow
def test_logits_are_those_of_a_model_garden_model_restored_by_hand(
    archive, official_model, clips, tmp_path
):
    restore(official_model, archive)
    backbone = movinet.Movinet(
        model_id="a0",
        causal=True,
        conv_type="2plus1d",
        se_type="2plus3d",
        activation="hard_swish",
        gating_activation="hard_sigmoid",
    )
    model = movinet_model.MovinetClassifier(backbone, num_classes=CLASSES)
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path, filter="data")
    (index,) = tmp_path.rglob("*.index")
    status = tf.train.Checkpoint(model=model).restore(str(index)[: -len(".index")])
    status.assert_existing_objects_matched().expect_partial()
    expected = official_model(clips[:2])
    # Normalization is computed by another operation.
    atol = 1e-5 * np.abs(expected).max()
    np.testing.assert_allclose(model(clips[:2]), expected, rtol=0, atol=atol)


@pytest.mark.slow
@pytest.mark.parametrize(
    "type", slow_but(["transformer"], ["transformer", "causal_transformer"])
)
def test_backbone_comes_into_grw_models_of_each_head(archive, official_model, type):
    restore(official_model, archive)
    smoothing = SmoothingConfig(layers=("final",))
    model = build_model(
        _config(head=HeadConfig(type=type), smoothing=smoothing, num_classes=3)
    )
    restored = restore(model, archive)
    for mine, theirs in zip(
        model.backbone.weights, official_model.backbone.weights, strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)
    assert f"keeps its own {type} head of 3 classes" in restored.message


@pytest.mark.slow
def test_other_class_counts_get_a_new_classifier_only(archive):
    model = build_model(_config(num_classes=600))
    restored = restore(model, archive)
    assert [name.rsplit("/", 1)[1] for name in restored.own] == ["kernel", "bias"]
    # ReZero starts at 0: a trained network has left it.
    scales = [w for w in model.backbone.weights if w.name.endswith("scale:0")]
    assert len(scales) == 15 and all(np.abs(scale.numpy()) > 0 for scale in scales)


@pytest.mark.parametrize("name", ["a1_stream", "a0_base"])
def test_other_networks_are_refused_with_a_table(archive, name):
    with pytest.raises(ValueError, match="does not hold this model's") as refused:
        restore(types.SimpleNamespace(config=preset(name)), archive)
    for row in ("matched", "missing", "unused", "shape differs"):
        assert refused.match(rf"\n  {row} +\d+")
    assert refused.match("It is a0, conv_type 2plus1d, se_type 2plus3d, without")


def test_inspection_tells_what_it_is(archive):
    rows = dict(line.split(None, 1) for line in inspect(archive).splitlines())
    assert rows["conv_type"] == "2plus1d"
    assert rows["se_type"] == "2plus3d"
    assert rows["classes"] == "7"
    assert rows["gating_activation"].startswith("not recorded")
