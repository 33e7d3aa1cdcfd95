"""Tests of explanations: what a trained model goes by is the object that moves."""

import av
import cv2
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from drawn_scenes import MOTIONS, draw_scene

from grw_tf.evaluation.explain import ExplanationConfig, explain
from grw_tf.evaluation.grad_cam import grad_cam

TIME, SIZE = 8, 48
_STEPS = 260


def _scenes(count, seed):
    """Returns scenes of both motions, one after the other, and their clips."""
    rng = np.random.default_rng(seed)
    scenes = [
        draw_scene(rng, TIME, SIZE, [(0, TIME, list(MOTIONS)[index % 2])])
        for index in range(count)
    ]
    clips = np.stack([scene.frames for scene in scenes]).astype(np.float32) / 255
    return scenes, clips


def _train(model):
    """Trains a model until it tells the motions of scenes apart."""
    _, clips = _scenes(240, 0)
    labels = np.arange(len(clips)) % 2
    rate = tf_keras.optimizers.schedules.CosineDecay(5e-3, _STEPS)
    optimizer = tf_keras.optimizers.Adam(rate)
    rng = np.random.default_rng(0)

    @tf.function
    def step(batch, of_batch):
        with tf.GradientTape() as tape:
            logits = model(batch, training=True)
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(of_batch, logits)
            )
        variables = model.trainable_variables
        gradients = tape.gradient(loss, variables)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))

    for _ in range(_STEPS):
        chosen = rng.choice(len(clips), 16, replace=False)
        step(tf.constant(clips[chosen]), tf.constant(labels[chosen]))
    # Moving averages lag behind the weights after so few steps.
    for layer in model.submodules:
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            layer.momentum = 0.5
    for start in range(0, 240, 40):
        model(tf.constant(clips[start : start + 40]), training=True)


def _share_near(heat, scene):
    """Returns the shares of heat and of area where the square goes.

    Also whether the hottest pixel is there.
    """
    low, high = scene.centers.min(axis=0), scene.centers.max(axis=0)
    # A place of the last endpoint is 8 pixels wide.
    reach = scene.half + 4
    y, x = np.mgrid[:SIZE, :SIZE]
    inside = (low[0] - reach <= x) & (x <= high[0] + reach)
    inside &= (low[1] - reach <= y) & (y <= high[1] + reach)
    total = heat.sum(axis=0)
    hottest = np.unravel_index(total.argmax(), total.shape)
    return total[inside].sum() / total.sum(), inside.mean(), inside[hottest]


@pytest.mark.slow
def test_evidence_of_a_trained_model_is_where_something_moves(nano):
    model = nano(fresh=True, num_classes=2, frames=TIME, size=SIZE)
    _train(model)
    scenes, clips = _scenes(16, 1)
    near, right = [], []
    for index, (scene, clip) in enumerate(zip(scenes, clips, strict=True)):
        evidence = grad_cam(model, clip)
        right.append(evidence.class_index == index % 2)
        near.append(_share_near(evidence.heat(TIME, SIZE), scene))
    share, area, hottest = np.mean(near, axis=0)
    assert np.mean(right) >= 0.85
    # Heat that is the same everywhere would have the share of the area.
    assert share > 1.6 * area and hottest >= 0.5, (share, area, hottest)


@pytest.fixture(scope="module")
def video(colored_records):
    return colored_records.parent / "videos" / "test" / "red" / "8.mp4"


def _explain(finished_training, colored_records, video, folder, **fields):
    fields = {
        "checkpoint_dir": str(finished_training),
        "labels": str(colored_records / "labels.txt"),
        "video": str(video),
        "output_dir": str(folder / "explained"),
    } | fields
    return explain(ExplanationConfig(**fields))


def test_sheet_and_video_are_written(
    finished_training, colored_records, video, tmp_path
):
    text = _explain(finished_training, colored_records, video, tmp_path, columns=3)
    sheet = cv2.imread(str(tmp_path / "explained" / "8.png"))
    # A row of frames, and one of frames that glow.
    assert sheet.shape[0] > 2 * 112 and sheet.shape[1] > 3 * 112
    with av.open(str(tmp_path / "explained" / "8.mp4")) as container:
        frames = list(container.decode(video=0))
        assert frames[0].width == frames[0].height >= 160
        assert frames[-1].time < 10
    assert len(frames) > 3
    assert "likeliest" in text and "explained" in text
    assert str(tmp_path / "explained" / "8.png") in text


@pytest.mark.slow
def test_class_start_and_endpoint_may_be_chosen(
    finished_training, colored_records, video, tmp_path
):
    given = finished_training, colored_records, video, tmp_path
    for name in ("blue", "red"):
        text = _explain(*given, class_name=name, start=0.6, endpoint="block0_layer0")
        assert f"explained  {name} " in text and "by block0_layer0" in text


@pytest.mark.slow
def test_what_cannot_be_explained_is_told(
    finished_training, colored_records, video, tmp_path
):
    given = finished_training, colored_records

    def fails(words, file=video, error=ValueError, **fields):
        with pytest.raises(error, match=words):
            _explain(*given, file, tmp_path, **fields)
        assert not (tmp_path / "explained").exists()

    fails("class_name is 'rad': the model has no such class; did", class_name="rad")
    fails("Unknown endpoint 'blok0'", endpoint="blok0")
    fails("start is -1: it must be 0 s or more", start=-1.0)
    fails("columns is 0: it must be above 0", columns=0)
    fails("ends at 2 s, before the start, 70 s", start=70.0)
    fails("There is no video nothing.mp4", "nothing.mp4", FileNotFoundError)
    (tmp_path / "text.mp4").write_text("hello")
    fails("text.mp4 cannot be read as a video", tmp_path / "text.mp4")
