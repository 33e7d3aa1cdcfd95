"""Tests of embeddings of frames, their principal components, and their trajectories."""

import csv

import cv2
import numpy as np
import pytest
import tensorflow as tf
from clip_records import example_of, write_records
from drawn_videos import write_video
from everyday import slow_but
from toy_backbones import BACKBONES
from toy_heads import HEADS

from grw_tf.data.preparation.jpeg_clips import JpegClip
from grw_tf.data.records.evaluation_records import EvaluationRecords
from grw_tf.data.records.sequence_examples import sequence_example
from grw_tf.evaluation import trajectories
from grw_tf.evaluation.directions import directions
from grw_tf.evaluation.embeddings import embed_clips, embedding_layers
from grw_tf.evaluation.principal_components import principal_components, turned_like
from grw_tf.evaluation.trajectories import TrajectoryConfig, write_trajectories
from grw_tf.figures.trajectories import trajectory_figure
from grw_tf.models.backbone import endpoints


@pytest.fixture(scope="module")
def model(nano):
    return nano(head=HEADS["transformer"], num_classes=6)


@pytest.mark.parametrize("head", slow_but(["transformer"], ["mean", "transformer"]))
def test_final_embeddings_are_those_of_the_model(nano, clip, head):
    model = nano(head=HEADS[head], num_classes=6)
    z = embed_clips(model, [(clip[:1],), (clip[1:],)])
    np.testing.assert_allclose(z, model.embed(clip), rtol=1e-4, atol=1e-5)


def test_endpoints_are_averaged_over_space(model, clip):
    z = embed_clips(model, [(clip,)], "block1_layer0")
    features = endpoints(model.backbone, clip)["block1_layer0"].numpy()
    np.testing.assert_allclose(z, features.mean(axis=(2, 3)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("model_id", "head", "last"),
    [
        ("nano", "transformer", "final"),
        ("nano", "mean", "final"),
        ("slowonly_nano", "mean", "final"),
        pytest.param("nano", "official", "block1_layer1", marks=pytest.mark.slow),
        ("slowonly_nano", "official", "head"),
    ],
)
def test_the_last_place_keeps_time(nano, clip, model_id, head, last):
    model = nano(backbone=BACKBONES[model_id], head=HEADS[head], num_classes=6)
    assert embedding_layers(model)[-1] == last
    assert embed_clips(model, [(clip,)]).shape[:2] == (2, 8)


def test_unknown_layer_is_named(model, clip):
    with pytest.raises(ValueError, match="Unknown layer 'blok'.*known: stem, .*final"):
        embed_clips(model, [(clip,)], "blok")


def test_components_are_the_covariance_eigenvectors():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(4, 6, 5)) * [5, 1, 3, 0.1, 0.2]
    points, shares = principal_components(z, 2)
    values, vectors = np.linalg.eigh(np.cov(z.reshape(-1, 5).T))
    np.testing.assert_allclose(shares, values[:-3:-1] / values.sum())
    expected = (z - z.mean(axis=(0, 1))) @ vectors[:, :-3:-1]
    np.testing.assert_allclose(np.abs(points), np.abs(expected), atol=1e-9)


def test_more_components_than_there_are_is_refused():
    with pytest.raises(ValueError, match="4 embeddings of 3 channels have 3 .* not 4"):
        principal_components(np.zeros((2, 2, 3)), 4)


def test_constants_have_no_shares():
    points, shares = principal_components(np.ones((2, 3, 4)))
    assert np.isnan(shares).all() and not points.any()


def test_turning_undoes_a_rotation_and_a_mirror():
    points = np.random.default_rng(0).normal(size=(3, 4, 2))
    mirrored = points @ np.array([[0.6, 0.8], [0.8, -0.6]])
    np.testing.assert_allclose(turned_like(mirrored, points), points, atol=1e-12)


@pytest.fixture(scope="module")
def written(model, tmp_path_factory):
    """The folder of trajectories of seven recorded clips, and their records."""
    folder = tmp_path_factory.mktemp("trajectories")
    examples = [example_of(8 + k, label=k % 6, name=f"{k}.mp4") for k in range(7)]
    records = write_records(folder / "records", *examples)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trajectories, "load_model", lambda checkpoint: model)
        summary = write_trajectories(
            TrajectoryConfig(
                checkpoint="ckpt",
                clips=records,
                output_dir=str(folder / "out"),
                all_dims=True,
                batch_size=3,
            )
        )
    return folder / "out", records, summary


def _rows(folder):
    with open(folder / "embeddings.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_table_holds_the_embeddings_of_each_frame(written, model):
    folder, records, summary = written
    rows = _rows(folder)
    ((clips, _, names),) = EvaluationRecords(records, model.config).batches(7)
    z = model.embed(clips).numpy()
    assert [row["clip"] for row in rows] == list(np.repeat(names, 8))
    assert [row["frame"] for row in rows[:3]] == ["0", "1", "2"]
    assert [row["seconds"] for row in rows[:3]] == ["0", "0.2", "0.4"]
    listed = [[float(row[f"z{k + 1}"]) for k in range(z.shape[2])] for row in rows]
    np.testing.assert_allclose(listed, z.reshape(56, -1), rtol=1e-3, atol=1e-4)
    points = principal_components(z, 3).points.reshape(56, 3)
    listed = [[float(row[f"pc{k}"]) for k in (1, 2, 3)] for row in rows]
    # Smaller components are of rounding alone.
    scale = np.abs(points).max()
    np.testing.assert_allclose(np.abs(listed), np.abs(points), atol=1e-2 * scale)
    assert "clips                7 x 8 frames" in summary
    straightness = directions(z, range(7)).straightness
    assert f"straightness         {straightness:.3f}" in summary
    # Six of the seven clips are the only ones of their classes.
    assert "direction accuracy" not in summary


def test_picture_is_drawn(written):
    picture = cv2.imread(str(written[0] / "trajectories.png"))
    assert picture.min() < 100 and picture.max() == 255


@pytest.mark.slow
def test_paths_of_many_classes_are_of_as_many_as_there_are_colors(tmp_path, nano):
    model = nano(head=HEADS["transformer"], num_classes=14)
    labels = [f"$a {'very ' * 9}long name {k}" for k in range(14)]
    # The first class has no clip.
    jpeg = cv2.imencode(".jpg", np.full((48, 64, 3), 90, np.uint8))[1].tobytes()
    clip = JpegClip([jpeg] * 8, 48, 64)
    examples = [
        sequence_example(clip, label, labels[label], 5.0, f"{k}.mp4")
        for k, label in enumerate([*range(1, 14)] * 2)
    ]
    records = write_records(tmp_path / "records", *examples, labels=labels)
    config = TrajectoryConfig(
        checkpoint="ckpt", clips=records, output_dir=str(tmp_path / "out"), paths=1
    )
    drawn = []

    def figure(*given):
        drawn.append(trajectory_figure(*given))
        return drawn[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trajectories, "load_model", lambda checkpoint: model)
        patch.setattr(trajectories, "trajectory_figure", figure)
        write_trajectories(config)
    (axis,) = drawn[0].axes
    assert "paths of 10 of 13 classes" in axis.get_title()
    colors = {line.get_color() for line in axis.lines}
    assert len(axis.lines) == len(colors) == 10
    told = axis.get_legend()
    assert len(told.get_texts()) == 10
    # Below the axes, where it covers no path.
    assert told.get_window_extent().y1 < axis.get_window_extent().y0
    assert all(len(text.get_text()) <= 36 for text in told.get_texts())
    others = [tuple(dots.get_facecolor()[0][:3]) for dots in axis.collections]
    assert len(others) == 13 and len(set(others)) == 11


def test_clips_come_from_folders_and_from_videos(model, tmp_path):
    colors = {"red": (255, 0, 0), "blue": (0, 0, 255)}
    for name, color in colors.items():
        write_video(tmp_path / name / "0.mp4", [color] * 9, 5)
    paths = [str(tmp_path / name / "0.mp4") for name in colors]
    names, batches = trajectories.read_batches(str(tmp_path), model.config, 1)
    (blue, _, _), (red, labels, called) = batches
    assert (names, labels, called) == (("blue", "red"), (1,), ("red/0.mp4",))
    names, batches = trajectories.read_batches(",".join(paths), model.config, 8)
    ((both, labels, called),) = batches
    assert (names, labels, called) == (("red", "blue"), (0, 1), tuple(paths))
    np.testing.assert_array_equal(both, np.concatenate([red, blue]))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"components": 1}, "components is 1: the picture needs 2 or more"),
        ({"paths": 0}, "paths is 0: it must be above 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        TrajectoryConfig(**fields)


def test_missing_video_is_named(model):
    with pytest.raises(ValueError, match="There is no video nowhere/a.mp4"):
        trajectories.read_batches("nowhere/a.mp4", model.config, 1)


@pytest.mark.slow
def test_program_writes_both(nano, tmp_path, run_program):
    model = nano(head=HEADS["transformer"], num_classes=6)
    path = tf.train.Checkpoint(model=model).save(tmp_path / "ckpt")
    write_video(tmp_path / "red" / "0.mp4", [(255, 0, 0)] * 9, 5)
    done = run_program(
        "scripts.embeddings",
        f"--checkpoint={path}",
        f"--clips={tmp_path / 'red' / '0.mp4'}",
        f"--output_dir={tmp_path / 'out'}",
    )
    assert done.returncode == 0, done.stderr
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "embeddings.csv",
        "trajectories.png",
    }


@pytest.mark.slow
def test_frames_of_a_network_with_strides_in_time_have_their_own_seconds(
    nano, tmp_path, monkeypatch
):
    model = nano(backbone=BACKBONES["csn_nano"], num_classes=6)
    monkeypatch.setattr(trajectories, "load_model", lambda checkpoint: model)
    records = write_records(
        tmp_path / "records", *(example_of(8, label=k, name=f"{k}.mp4") for k in (0, 1))
    )
    write_trajectories(
        TrajectoryConfig(
            checkpoint="ckpt",
            clips=records,
            output_dir=str(tmp_path / "out"),
            layer="res4",
        )
    )
    # Two of eight frames at five a second.
    rows = _rows(tmp_path / "out")
    assert [row["seconds"] for row in rows] == ["0", "0.8"] * 2
