"""Behavior of the turning airplanes."""

import itertools
import json

import cv2
import numpy as np
import pytest
import tensorflow_datasets as tfds

from grw_tf.data import airplanes
from grw_tf.data.airplanes import render, shapes, videos
from grw_tf.data.airplanes.contact_sheet import contact_sheet


def _config(**changes):
    settings = dict(name="tiny", size=32, frames=4, train_videos=6, test_videos=3)
    return airplanes.AirplanesConfig(**(settings | changes))


def _drawn(config, split="train", workers=1):
    return list(videos.videos(config, split, workers))


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("tensorflow_datasets")


def test_same_seed_gives_same_bytes_and_another_seed_does_not():
    first, again, other = (_drawn(_config(seed=seed)) for seed in (0, 0, 1))
    for a, b, c in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(a.frames, b.frames)
        assert not np.array_equal(a.frames, c.frames)


def test_splits_differ():
    train, test = _drawn(_config(), "train"), _drawn(_config(), "test")
    assert not np.array_equal(train[0].frames, test[0].frames)


def test_number_of_workers_changes_no_byte():
    alone, together = (_drawn(_config(), workers=workers) for workers in (1, 2))
    assert len(alone) == len(together) == 6
    for a, b in zip(alone, together, strict=True):
        np.testing.assert_array_equal(a.frames, b.frames)


def test_classes_are_balanced():
    assert [video.label for video in _drawn(_config())] == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize(
    "label, axis", [(0, (0, 0, 1)), (1, (0, 1, 0)), (2, (1, 0, 0))]
)
def test_each_class_turns_at_its_speed_about_its_own_body_axis(label, axis):
    rng = np.random.default_rng(7)
    video = videos.draw(_config(), ["delta"], label, rng)
    for before, after in itertools.pairwise(video.rotations):
        turn = np.degrees(cv2.Rodrigues(before.T @ after)[0].ravel())
        np.testing.assert_allclose(turn, video.speed * np.array(axis), atol=1e-6)
    assert 8 <= abs(video.speed) <= 16


def test_both_directions_occur():
    signs = {np.sign(video.speed) for video in _drawn(_config(train_videos=24))}
    assert signs == {-1, 1}


def test_label_changes_nothing_in_the_first_frame():
    drawn = [
        videos.draw(_config(), list(shapes.SHAPES), label, np.random.default_rng(3))
        for label in range(3)
    ]
    for video in drawn[1:]:
        np.testing.assert_array_equal(video.frames[0], drawn[0].frames[0])
        assert not np.array_equal(video.frames[-1], drawn[0].frames[-1])


def test_poses_are_uniform_in_the_first_and_in_the_last_frame():
    config = _config(size=16, frames=3, train_videos=300)
    rotations = np.stack([video.rotations for video in _drawn(config)])
    # Uniform rotations average to zero, entry by entry, with a spread of 1/3.
    for frame in (0, -1):
        np.testing.assert_allclose(rotations[:, frame].mean(0), 0, atol=0.15)
        np.testing.assert_allclose((rotations[:, frame] ** 2).mean(0), 1 / 3, atol=0.1)


@pytest.mark.parametrize("name", shapes.SHAPES)
def test_shape_is_symmetric_and_stays_inside_the_frame(name):
    mesh = shapes.build(name, np.random.default_rng(0))
    assert np.linalg.norm(mesh.vertices, axis=1).max() == pytest.approx(1)
    points = {tuple(v) for v in np.round(mesh.vertices, 6) + 0.0}
    assert points == {(x, -y + 0.0, z) for x, y, z in points}
    for _ in range(4):
        rotation = cv2.Rodrigues(np.random.default_rng(1).normal(size=3))[0]
        frame = render.render(mesh, rotation, 64, np.full(3, 200.0))
        assert frame.shape == (64, 64, 3) and frame.dtype == np.uint8
        border = np.concatenate([frame[0], frame[-1], frame[:, 0], frame[:, -1]])
        assert (border == 200).all()
        assert (frame != 200).any(axis=-1).mean() > 0.01


def test_faces_away_from_the_light_are_darker():
    mesh = shapes.build("flying_wing", np.random.default_rng(0))
    background = np.zeros(3)
    turns = (cv2.Rodrigues(np.array((angle, 0.0, 0.0)))[0] for angle in (-0.5, 1.0))
    lit, unlit = (render.render(mesh, turn, 64, background) for turn in turns)
    assert lit[lit > 0].mean() > 1.5 * unlit[unlit > 0].mean()


def test_unseen_test_shapes_are_disjoint():
    config = _config(unseen_test_shapes=True)
    train, test = (set(videos.shape_names(config, s)) for s in ("train", "test"))
    assert not train & test
    assert len(test) == 4
    assert train | test == set(shapes.SHAPES)
    assert {video.shape for video in _drawn(config, "test")} <= test
    assert len(shapes.SHAPES) >= 12


def test_shapes_are_those_of_the_config():
    config = _config(shapes=["glider", "delta"], train_videos=24)
    assert {video.shape for video in _drawn(config)} == {"glider", "delta"}
    unseen = _config(shapes=("delta", "canard"), unseen_test_shapes=True)
    assert videos.shape_names(unseen, "train") == ["delta"]
    assert videos.shape_names(unseen, "test") == ["canard"]


def test_fixed_airplane_is_one_mesh_in_all_videos_of_both_splits(monkeypatch):
    drawn, render_frame = [], videos.render

    def noted(mesh, *given):
        drawn.append(mesh)
        return render_frame(mesh, *given)

    monkeypatch.setattr(videos, "render", noted)
    fixed = {"shapes": ("biplane",), "fixed_airplane": True}
    seen = _drawn(_config(**fixed)) + _drawn(_config(**fixed), "test")
    assert len({video.frames.tobytes() for video in seen}) == len(seen) == 9
    assert len({id(mesh) for mesh in drawn}) == 1
    _drawn(_config(**fixed, seed=1))
    assert len({mesh.vertices.tobytes() for mesh in drawn}) == 2


@pytest.mark.parametrize(
    ("name", "means"),
    [
        ("48px", (182.918, 186.955)),
        ("64px", (183.095, 187.201)),
        ("32px_fast", (182.737, 186.358)),
        ("48px_unseen_shapes", (182.918, 214.102)),
        ("published", (190.523, 177.817)),
    ],
)
def test_videos_of_a_name_stay_what_they_are(name, means):
    config = airplanes.Airplanes.builder_configs[name]
    drawn = [videos.video(config, "train", index) for index in range(2)]
    found = [video.frames.mean() for video in drawn]
    assert found == pytest.approx(means, abs=0.01)


def test_published_videos_are_like_the_papers():
    config = airplanes.Airplanes.builder_configs["published"]
    assert (config.train_videos, config.frames, config.size) == (1000, 6, 48)
    assert config.test_videos >= 1000
    speeds = [videos.video(config, "test", index).speed for index in range(12)]
    assert {np.sign(speed) for speed in speeds} == {-1, 1}
    assert all(14 <= abs(speed) <= 22 for speed in speeds)


@pytest.mark.parametrize(
    "bad",
    [
        *({"size": 15}, {"frames": 2}, {"min_speed": 9.0, "max_speed": 8.0}),
        *({"min_speed": 0.0}, {"train_videos": 0}, {"test_videos": -1}, {"seed": -1}),
        *({"shapes": "delta"}, {"shapes": ["delta", "delta"]}, {"shapes": ["bipalne"]}),
        *({"fixed_airplane": True}, {"shapes": ["jet"], "fixed_airplane": True}),
        {"fixed_airplane": True, "shapes": ["delta", "glider"]},
        {"unseen_test_shapes": True, "shapes": ["delta", "glider"]},
    ],
)
def test_bad_config_is_one_clear_line(bad):
    with pytest.raises(ValueError) as error:
        _config(**bad)
    assert "\n" not in str(error.value)
    assert str(next(iter(bad.values()))) in str(error.value)


def test_interrupted_build_can_be_run_again(data_dir, monkeypatch):
    config = _config(name="interrupted")
    draw_all = videos.videos

    def interrupted(config, split):
        yield next(draw_all(config, split))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(videos, "videos", interrupted)
        with pytest.raises(KeyboardInterrupt):
            airplanes.load_split("train", config, data_dir)
    frames, labels = airplanes.load_split("train", config, data_dir)
    assert frames.shape == (6, 4, 32, 32, 3) and frames.dtype == np.uint8
    assert sorted(labels) == [0, 0, 1, 1, 2, 2] and labels.dtype == np.int64


def test_split_holds_the_drawn_bytes_and_is_built_once(data_dir, monkeypatch):
    config = _config(name="cached")
    frames, labels = airplanes.load_split("train", config, data_dir)
    drawn = {v.frames.tobytes(): v.label for v in _drawn(config)}
    assert drawn == {
        f.tobytes(): label for f, label in zip(frames, labels, strict=True)
    }
    monkeypatch.setattr(videos, "videos", None)
    again, _ = airplanes.load_split("train", config, data_dir)
    np.testing.assert_array_equal(frames, again)


def test_registered_name_reads_the_same_set(data_dir):
    config = _config(name="registered")
    airplanes.load_split("test", config, data_dir)
    builder = tfds.builder("airplanes", config=config, data_dir=data_dir)
    example = next(iter(tfds.as_numpy(builder.as_dataset("test"))))
    assert example["video"].shape == (4, 32, 32, 3)
    assert example["shape"].decode() in shapes.SHAPES
    assert 8 <= abs(example["speed"]) <= 16
    assert builder.info.features["label"].names == ["yaw", "pitch", "roll"]
    default = tfds.builder("airplanes", data_dir=data_dir)
    assert default.builder_config.name == "48px"


def test_one_name_for_two_configs_is_refused(data_dir):
    airplanes.load_split("test", _config(name="twice"), data_dir)
    with pytest.raises(ValueError, match="other seed"):
        airplanes.load_split("test", _config(name="twice", seed=5), data_dir)


def test_set_that_was_drawn_before_a_setting_existed_is_read(data_dir):
    config = _config(name="older")
    _, labels = airplanes.load_split("test", config, data_dir)
    (file,) = (data_dir / "airplanes" / "older").glob("*/metadata.json")
    metadata = json.loads(file.read_text())
    for setting in ("shapes", "fixed_airplane"):
        del metadata[setting]
    file.write_text(json.dumps(metadata))
    np.testing.assert_array_equal(
        airplanes.load_split("test", config, data_dir)[1], labels
    )
    with pytest.raises(ValueError, match="other shapes"):
        airplanes.load_split("test", _config(name="older", shapes=["delta"]), data_dir)


def test_contact_sheet_has_a_row_for_each_shape_and_class():
    sheet = contact_sheet(["delta", "glider"], _config(), seed=0)
    assert sheet.shape[0] == 6 * 32 + 6
    assert sheet.shape[1] > 4 * 32
