"""Tests of the published evaluation, from videos to top-1, on a tiny model."""

import csv
import functools
import json
import shutil
import tarfile

import cv2
import numpy as np
import pytest
import tensorflow as tf
from drawn_videos import write_video
from everyday import slow_but
from toy_heads import HEADS

from grw_tf.data.listing.video_list import read_class_folders
from grw_tf.frames.geometry import FrameGeometry
from grw_tf.kinetics600 import evaluated_model, protocol, results, video_prediction
from grw_tf.kinetics600.clips import ClipRule, ClipTask, read_published_clips
from grw_tf.kinetics600.prediction_files import PredictionFiles
from grw_tf.kinetics600.protocol import ProtocolConfig, evaluate_published
from grw_tf.training import strategy
from grw_tf.weights.restore import load_model

CLASSES = ("jump", "run", "sit")
GEOMETRY = FrameGeometry(32, "square")
# Frames at 5 a second: clips are 8 of them.
LENGTHS = {"jump": (8, 9, 16, 3), "run": (8, 7, 8, 10), "sit": (24, 8, 15)}
CLIPS = 4 + 3 + 5


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    rng = np.random.default_rng(0)
    for name, lengths in LENGTHS.items():
        for index, length in enumerate(lengths):
            colors = rng.integers(0, 256, (length, 3)).tolist()
            right = tuple(rng.integers(0, 256, 3).tolist())
            path = folder / name / f"{index}.mp4"
            write_video(path, map(tuple, colors), rate=5, right=right)
    return folder


def _clips(videos):
    """Returns the clips' names, and the clips."""
    found = {}
    for video in read_class_folders(videos)[0].videos:
        read = read_published_clips(ClipTask(video, ClipRule(8, 5.0, GEOMETRY)))
        for number, clip in enumerate(read.clips, start=1):
            found[video.name if number == 1 else f"{video.name}#{number}"] = clip
    return list(found), np.stack(list(found.values()))


@pytest.fixture(scope="module")
def model(nano, videos):
    """A model that says other things of different clips, and not too surely."""
    model = nano(scratch=True, head=HEADS["transformer"], num_classes=3)
    kernel, bias = (w for w in model.weights if "classifier" in w.name)
    logits = model(_clips(videos)[1]).numpy() - bias.numpy()
    spread = logits.std(axis=0)
    kernel.assign(kernel / spread)
    bias.assign(-logits.mean(axis=0) / spread)
    return model


@pytest.fixture(scope="module")
def checkpoint(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint") / "ckpt"
    return tf.train.Checkpoint(model=model).save(path)


@pytest.fixture(scope="module", autouse=True)
def built_once():
    """Building it anew for each run takes longer than all else."""
    strategies = []

    def build_strategy(runtime):
        # A model belongs to one.
        if not strategies:
            strategies.append(strategy.build_strategy(runtime))
        return strategies[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluated_model, "load_model", functools.cache(load_model))
        patch.setattr(protocol, "build_strategy", build_strategy)
        yield


@pytest.fixture(scope="module")
def run(videos, checkpoint):
    """A function that evaluates into a folder, with settings changed."""

    def run(folder, **fields):
        paths = {"clips": str(videos), "output_dir": str(folder)}
        sizes = {"batch_size": 3, "workers": 1, "videos_per_file": 4}
        fields = {"checkpoint": checkpoint} | paths | sizes | fields
        return evaluate_published(ProtocolConfig(**fields))

    return run


@pytest.fixture(scope="module")
def whole(run, tmp_path_factory):
    """The folder and the outcome of a run without interruptions."""
    folder = tmp_path_factory.mktemp("whole") / "made"
    return folder, run(folder)


def _rows(folder, name="predictions.csv"):
    with (folder / name).open(newline="") as file:
        return list(csv.DictReader(file))


def _content(folder):
    """Returns all that is written, but for how fast it was."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".npz" and "speed" not in path.name
    }


def _arrays(folder):
    files = {}
    for path in sorted(folder.rglob("*.npz")):
        with np.load(path) as file:
            files[path.name] = {name: file[name].tolist() for name in file}
    return files


def test_predictions_are_those_of_the_model(whole, model, videos):
    folder, _ = whole
    names, clips = _clips(videos)
    probabilities = np.concatenate([tf.nn.softmax(model(c[None])) for c in clips])
    # Else nothing would tell one clip from another.
    assert len(set(probabilities.argmax(axis=1))) > 1
    assert probabilities.std(axis=0).min() > 0.05
    rows = _rows(folder)
    assert len(rows) == CLIPS
    for row, name, expected in zip(rows, names, probabilities, strict=True):
        assert row["path"] == name
        assert row["label"] == name.split("/")[0]
        assert row["predicted"] == CLASSES[expected.argmax()]
        label = expected[CLASSES.index(row["label"])]
        assert float(row["probability_of_label"]) == pytest.approx(label, abs=1e-4)
    assert "sit/0.mp4#3" in names and "jump/3.mp4" not in names


def test_results_tell_what_was_counted(whole):
    folder, outcome = whole
    results = json.loads((folder / "results.json").read_text())
    assert results == outcome.results and outcome.unreadable == 0
    counts = ("videos", "clips", "too_short", "unreadable")
    assert [results[name] for name in counts] == [11, CLIPS, 2, 0]
    right = sum(row["label"] == row["predicted"] for row in _rows(folder))
    assert results["top_1"] == pytest.approx(right / CLIPS)
    # Wilson's interval by its formula, z = 1.96.
    z, p, n = 1.959964, right / CLIPS, CLIPS
    center, half = (
        (p + z * z / (2 * n)) / (1 + z * z / n),
        z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n),
    )
    assert results["top_1_interval_95"] == pytest.approx([center - half, center + half])
    assert results["published_top_1"] is None
    assert "8 frames at 5 a second, from the first" in results["settings"]["rule"]
    assert "dropped, as published" in results["settings"]["rule"]
    assert f"{CLIPS} clips of 11 videos" in outcome.text
    assert "published for this model" not in outcome.text


def test_classes_confusion_and_speed_are_written(whole):
    folder, _ = whole
    clips = [int(row["clips"]) for row in _rows(folder, "per_class.csv")]
    assert clips == [4, 3, 5]
    assert "3 classes, worst first" in (folder / "per_class.txt").read_text()
    assert cv2.imread(str(folder / "confusion.png")).max() == 255
    speed = json.loads((folder / "speed.json").read_text())
    assert speed["clips"] == CLIPS and speed["devices"] == ["CPU:0"]
    hours = 60_000 / speed["clips_per_second"] / 3600
    assert speed["hours_for_test_clips"] == pytest.approx(hours)
    assert not (folder / "unreadable.csv").exists()


def test_short_videos_count_with_their_last_frame_if_asked(whole, run, tmp_path):
    results = run(tmp_path, short_clips="repeat").results
    assert (results["clips"], results["too_short"]) == (CLIPS + 2, 2)
    dropped = whole[1].results
    for name in ("clips", "top_1", "top_1_interval_95"):
        assert results["without_too_short"][name] == pytest.approx(dropped[name])
    names = {row["path"] for row in _rows(tmp_path)}
    assert {"jump/3.mp4", "run/1.mp4"} <= names


@pytest.mark.parametrize(
    "stop", slow_but(["after a file"], ["before a file", "after a file"])
)
def test_a_run_that_was_killed_ends_alike(whole, run, tmp_path, monkeypatch, stop):
    write = PredictionFiles.write
    written = []

    def killed(files, number, predicted):
        if len(written) == 2 and stop == "before a file":
            raise KeyboardInterrupt
        write(files, number, predicted)
        written.append(number)
        if len(written) == 2 and stop == "after a file":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(PredictionFiles, "write", killed)
        run(tmp_path)
    assert not (tmp_path / "results.json").exists()
    read = []
    counted = video_prediction.run_parallel

    def counting(function, tasks, *arguments, **fields):
        tasks = (read.append(task) or task for task in tasks)
        return counted(function, tasks, *arguments, **fields)

    with monkeypatch.context() as patch:
        patch.setattr(video_prediction, "run_parallel", counting)
        run(tmp_path)
    # The last of three files is of three videos.
    assert len(read) == 3
    assert _content(tmp_path) == _content(whole[0])
    assert _arrays(tmp_path) == _arrays(whole[0])


def test_a_run_that_has_ended_is_not_repeated(whole, run, tmp_path, monkeypatch):
    folder = tmp_path / "again"
    shutil.copytree(whole[0], folder)
    monkeypatch.setattr(protocol, "predict_files", None)
    assert run(folder).results == whole[1].results


@pytest.mark.slow
def test_shards_share_the_work_in_any_order(whole, run, tmp_path):
    assert run(tmp_path, shard="2/2") is None
    assert not (tmp_path / "results.json").exists()
    assert len(_arrays(tmp_path)) == 1
    assert run(tmp_path, shard="1/2").results == whole[1].results
    assert _content(tmp_path) == _content(whole[0])
    assert _arrays(tmp_path) == _arrays(whole[0])
    speeds = {path.name for path in tmp_path.glob("speed*")}
    assert speeds == {"speed_1_of_2.json", "speed_2_of_2.json"}


@pytest.mark.slow
def test_shards_of_several_folders_are_copied_together(whole, run, tmp_path):
    for index in (1, 2, 3):
        assert run(tmp_path / str(index), shard=f"{index}/3") is None
        shutil.copytree(tmp_path / str(index), tmp_path / "all", dirs_exist_ok=True)
    assert run(tmp_path / "all").results == whole[1].results


@pytest.mark.slow
def test_an_archive_gives_the_same(whole, run, videos, tmp_path):
    archive = tmp_path / "test.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(videos, "k600/test")
    outcome = run(tmp_path / "out", clips=str(archive))
    assert outcome.results == whole[1].results
    assert (tmp_path / "test" / "k600" / "test" / "run").is_dir()


@pytest.mark.slow
def test_broken_videos_are_listed_and_come_in_when_mended(whole, run, videos, tmp_path):
    clips = tmp_path / "clips"
    shutil.copytree(videos, clips)
    (clips / "run" / "2.mp4").write_bytes(b"broken")
    out = tmp_path / "out"
    outcome = run(out, clips=str(clips))
    assert outcome.unreadable == outcome.results["unreadable"] == 1
    assert outcome.results["clips"] == CLIPS - 1
    (row,) = _rows(out, "unreadable.csv")
    assert row["path"] == "run/2.mp4" and "Invalid data" in row["reason"]
    shutil.copy(videos / "run" / "2.mp4", clips / "run" / "2.mp4")
    assert run(out, clips=str(clips)).results == whole[1].results
    assert not (out / "unreadable.csv").exists()


def test_labels_are_in_the_order_of_the_logits(whole, run, videos, tmp_path):
    labels = tmp_path / "labels.txt"
    labels.write_text("sit\nrun\njump\n")
    rows = _rows(whole[0])
    run(tmp_path / "out", labels=str(labels))
    turned = {"sit": "jump", "run": "run", "jump": "sit"}
    found = _rows(tmp_path / "out")
    assert [row["label"] for row in found] == [row["label"] for row in rows]
    assert [turned[row["predicted"]] for row in found] == [r["predicted"] for r in rows]


@pytest.mark.slow
def test_a_subset_of_the_classes_is_evaluated_by_labels(
    whole, run, videos, tmp_path, monkeypatch
):
    clips = tmp_path / "clips"
    shutil.copytree(videos / "sit", clips / "sit")
    drawn = []
    draw = results.draw_confusion
    monkeypatch.setattr(
        results, "draw_confusion", lambda *a: drawn.append(a) or draw(*a)
    )
    with pytest.raises(ValueError, match="has 1 class folders, and the model 3 classe"):
        run(tmp_path / "out", clips=str(clips))
    labels = tmp_path / "labels.txt"
    labels.write_text("".join(f"{name}\n" for name in CLASSES))
    run(tmp_path / "out", clips=str(clips), labels=str(labels))
    expected = [row for row in _rows(whole[0]) if row["label"] == "sit"]
    for found, one in zip(_rows(tmp_path / "out"), expected, strict=True):
        assert found["predicted"] == one["predicted"]
    table = _rows(tmp_path / "out", "per_class.csv")
    assert [int(row["clips"]) for row in table] == [0, 0, 5]
    ((counts, names),) = drawn
    assert set(names) == {"sit"} | {row["predicted"] for row in expected}
    assert counts.sum() == counts[names.index("sit")].sum() == 5


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("jump\nrun\n", "has 2 classes, and the model 3: it must have the model's"),
        (
            "jump\nrun\nSit\n",
            "lacks 1 of the class folders: 'sit'; names must be equal",
        ),
    ],
)
def test_labels_that_do_not_fit_are_refused(run, tmp_path, names, message):
    labels = tmp_path / "labels.txt"
    labels.write_text(names)
    with pytest.raises(ValueError, match=message):
        run(tmp_path / "out", labels=str(labels))
    assert not (tmp_path / "out").exists()


def test_another_run_is_refused_before_work(whole, run, tmp_path, monkeypatch):
    folder = tmp_path / "out"
    shutil.copytree(whole[0], folder)
    before = _content(folder)
    monkeypatch.setattr(protocol, "predict_files", None)
    for fields, message in (
        ({"short_clips": "repeat"}, "begun with short_clips drop, not repeat"),
        ({"fps": 2.5}, "begun with fps 5.0, not 2.5"),
        ({"frames": 4}, "begun with frames 8, not 4"),
        ({"videos_per_file": 5}, "begun with videos_per_file 4, not 5"),
    ):
        with pytest.raises(ValueError, match=message):
            run(folder, **fields)
    # Where it runs and how fast does not matter.
    assert run(folder, batch_size=1, workers=2, shard="3/5").results
    assert _content(folder) == before


def test_nothing_to_score_is_an_error(run, tmp_path):
    with pytest.raises(ValueError, match="None of 11 videos has a clip: 11 have fewer"):
        run(tmp_path, frames=100)


def test_folders_without_videos_are_refused(run, tmp_path):
    (tmp_path / "clips" / "run").mkdir(parents=True)
    for clips in (tmp_path / "clips", tmp_path / "none"):
        with pytest.raises(ValueError, match="expected class folders of videos"):
            run(tmp_path / "out", clips=str(clips))
    with pytest.raises(OSError, match="none.tar.gz"):
        run(tmp_path / "out", clips=str(tmp_path / "none.tar.gz"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0: it must be above 0"),
        ({"videos_per_file": 0}, "videos_per_file is 0: it must be above 0"),
        ({"frames": -1}, "frames is -1: it must be 0 or more"),
        ({"workers": -1}, "workers is -1: it must be 0 or more"),
        ({"short_clips": "loop"}, "short_clips is 'loop': it must be drop or repeat"),
        ({"shard": "3/2"}, "shard is '3/2': expected i/n, with i from 1 to n"),
        ({"shard": "0/2"}, "shard is '0/2'"),
        ({"shard": "half"}, "shard is 'half'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        ProtocolConfig(**fields)


@pytest.mark.slow
def test_videos_of_no_class_are_told(run, videos, whole, tmp_path, caplog):
    shutil.copytree(videos, tmp_path / "clips")
    shutil.copy(videos / "run/0.mp4", tmp_path / "clips/loose.mp4")
    outcome = run(tmp_path / "out", clips=str(tmp_path / "clips"))
    assert outcome.left_out == 1 and whole[1].left_out == 0
    assert outcome.results == whole[1].results
    assert "1 x video in no class folder: loose.mp4" in caplog.text
