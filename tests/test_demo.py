"""The demo, whole, at toy size: two runs, table, figures, export, prediction."""

import av
import numpy as np
import pytest

from grw_tf.data.airplanes import AirplanesConfig as DataConfig
from grw_tf.demo import airplanes, clips
from grw_tf.demo.comparison import compare
from grw_tf.demo.report import report
from grw_tf.streaming import StreamSession
from scripts import airplanes_study

DATA = DataConfig(name="toy", size=32, frames=6, train_videos=8, test_videos=6)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    config = airplanes.AirplanesDemoConfig(
        data_config=DATA,
        data_dir=str(folder / "data"),
        output_dir=str(folder / "runs"),
        epochs=1,
        batch_size=4,
    )
    train, test = airplanes.load(config)
    results = compare(airplanes.model_config(config, train), train, test, config)
    report(results, train, test, config, "airplanes", "Toy")
    return folder / "runs", results


def test_both_models_see_the_same_first_batch_loss_but_for_smoothing(demo):
    _, (baseline, grw) = demo
    assert "grw_loss" not in baseline.history[0]
    assert grw.history[0]["grw_loss"] > 0
    assert grw.history[0]["loss"] > baseline.history[0]["loss"]


def test_measures_are_of_the_test_videos(demo):
    _, results = demo
    for result in results:
        assert result.z.shape == (6, 6, 64)
        assert result.accuracy == pytest.approx(result.history[-1]["test_accuracy"])


def test_table_figures_and_model_are_written(demo):
    folder, _ = demo
    table = (folder / "table.txt").read_text().splitlines()
    assert table[0].split()[:2] == ["test", "accuracy"]
    assert [line.split()[0] for line in table[2:]] == ["baseline", "grw"]
    for figure in ("airplanes.png", "learning_curves.png"):
        assert (folder / figure).read_bytes().startswith(b"\x89PNG")
    assert StreamSession(folder / "model.tflite").labels == ["yaw", "pitch", "roll"]


def test_exported_model_tells_the_classes_of_each_frame(demo, tmp_path, run_program):
    folder, _ = demo
    video = tmp_path / "video.mp4"
    _write_video(video, frames=10, rate=5)
    done = run_program(
        "export.run_stream",
        f"--model={folder / 'model.tflite'}",
        f"--source={video}",
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 10
    assert all(
        name in line for line in lines for name in ("yaw", "pitch", "roll", " ms)")
    )


def test_clips_demo_names_a_missing_folder_in_one_line(tmp_path, run_program):
    done = run_program("scripts.demo_clips", f"--clips={tmp_path / 'nothing'}")
    assert done.returncode == 1
    assert "nothing is not a folder" in done.stderr.strip().splitlines()[-1]


def test_class_without_test_clips_is_named_before_training(tmp_path):
    for part, names in (("train", "ab"), ("test", "a")):
        for name in names:
            (tmp_path / part / name).mkdir(parents=True)
            _write_video(tmp_path / part / name / "1.mp4", frames=4, rate=10)
    config = clips.ClipsDemoConfig(clips=str(tmp_path), classes="a,b", size=32)
    with pytest.raises(ValueError, match=r"no test videos of \['b'\]"):
        clips.load(config)


def test_clips_config_changes_only_what_clips_need(tmp_path):
    for name in ("a", "b"):
        for part in ("train", "test"):
            (tmp_path / part / name).mkdir(parents=True)
            _write_video(tmp_path / part / name / "1.mp4", frames=4, rate=10)
    config = clips.ClipsDemoConfig(clips=str(tmp_path), frames=6, size=32)
    train, test = clips.load(config)
    assert train.videos.shape == (2, 6, 32, 32, 3)
    assert test.class_names == ("a", "b")
    model = clips.model_config(config, train)
    assert model.backbone.model_id == "a0"
    assert model.smoothing.layers == ("final",)
    assert (model.num_classes, model.frames, model.size) == (2, 6, 32)


def test_study_table_gives_mean_and_spread():
    results = {"0": [{"x": 1.0}, {"x": 3.0}], "0.1": [{"x": 2.0}, {"x": 2.0}]}
    assert airplanes_study.table(results).splitlines()[2:] == [
        "| 0 | 2.000 ± 1.414 |",
        "| 0.1 | 2.000 ± 0.000 |",
    ]


def _write_video(path, frames, rate):
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.width = stream.height = 64
        for _ in range(frames):
            picture = rng.integers(0, 256, (64, 64, 3), np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
