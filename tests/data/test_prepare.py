"""Behavior of preparing records: complete, resumable, the same however made."""

import collections
import fcntl
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tensorflow as tf
from drawn_videos import BLUE, RED, greys, write_video

from grw_tf.common.labels_file import read_labels
from grw_tf.common.process_pool import run_parallel
from grw_tf.data.listing.video_list import Video
from grw_tf.data.preparation.config import PreparationConfig
from grw_tf.data.preparation.conversion import Conversion, convert
from grw_tf.data.preparation.manifest import report
from grw_tf.data.preparation.prepare import prepare
from grw_tf.data.preparation.shards import join
from grw_tf.data.records.sequence_examples import check_records

_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def videos(tmp_path_factory):
    """Ten videos of jump and fourteen of run, of 100 frames."""
    root = tmp_path_factory.mktemp("videos")
    video = write_video(root / "video.mp4", [RED, BLUE] * 50, rate=25, size=(160, 120))
    for label, count in (("jump", 10), ("run", 14)):
        (root / label).mkdir()
        for index in range(count):
            shutil.copy(video, root / label / f"{label}{index}.mp4")
    video.unlink()
    return root


@pytest.fixture(scope="session")
def settings():
    """Settings that make several shards of many frames."""
    return {"fps": 25.0, "clips_per_shard": 8, "workers": 1}


@pytest.fixture(scope="session")
def records(videos, settings, tmp_path_factory):
    """What a run of one worker, never killed, makes of `videos`."""
    output = tmp_path_factory.mktemp("records")
    prepare(PreparationConfig(input=str(videos), output_dir=str(output), **settings))
    return output


def _prepare(source, output, **fields):
    fields = {"input": str(source), "output_dir": str(output), "workers": 1} | fields
    return prepare(PreparationConfig(**fields))


def _content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _examples(folder, split="*"):
    paths = sorted(map(str, folder.glob(f"{split}-*.tfrecord")))
    records = tf.data.TFRecordDataset(paths).as_numpy_iterator()
    return [tf.train.SequenceExample.FromString(record) for record in records]


def _text(example, key):
    return example.context.feature[key].bytes_list.value[0].decode()


def test_records_are_complete(videos, records):
    manifest = json.loads((records / "manifest.json").read_text())
    train = [f"train-0000{index}-of-00003" for index in range(3)]
    shards = ["test-00000-of-00001", *train, "validation-00000-of-00001"]
    files = ["labels.txt", "manifest.json", *(f"{name}.tfrecord" for name in shards)]
    assert sorted(_content(records)) == files
    assert read_labels(records / "labels.txt") == ("jump", "run")
    assert manifest["splits"]["train"]["classes"] == {"jump": 8, "run": 12}
    assert manifest["splits"]["train"]["majority_share"] == 0.6
    assert manifest["splits"]["test"]["classes"] == {"jump": 1, "run": 1}
    assert manifest["splits"]["validation"]["frames"] == 200
    assert manifest["videos"] == 24 and manifest["failures"] == []
    assert manifest["settings"]["short_side"] == 224
    assert len(check_records(f"{records}/*.tfrecord")) == 5
    names = collections.Counter()
    for example in _examples(records):
        name = _text(example, "clip/data_path")
        label = _text(example, "clip/label/text")
        index = example.context.feature["clip/label/index"].int64_list.value[0]
        assert name.startswith(f"{label}/{label}") and ("jump", "run")[index] == label
        names[name] += 1
    assert names == {f"{p.parent.name}/{p.name}": 1 for p in videos.glob("*/*")}


def test_manifest_has_the_shards_digests(records):
    manifest = json.loads((records / "manifest.json").read_text())
    for counts in manifest["splits"].values():
        for shard in counts["shards"]:
            path = records / shard["file"]
            assert path.stat().st_size == shard["bytes"]
            digest = subprocess.run(["sha256sum", path], capture_output=True, text=True)
            assert digest.stdout.split()[0] == shard["sha256"]


def test_classes_are_mixed(records):
    labels = [_text(e, "clip/label/text") for e in _examples(records, "train")]
    assert len(set(labels[:6])) == 2 and labels != sorted(labels)


def test_workers_change_nothing(videos, records, settings, tmp_path):
    _prepare(videos, tmp_path / "out", **settings | {"workers": 2})
    assert _content(tmp_path / "out") == _content(records)


@pytest.mark.slow
def test_killed_run_goes_on_and_changes_nothing(videos, records, settings, tmp_path):
    source, output = tmp_path / "videos", tmp_path / "out"
    shutil.copytree(videos, source)
    clips = output / "unfinished" / "clips"
    flags = settings | {"input": source, "output_dir": output, "workers": 2}
    run = subprocess.Popen(
        [sys.executable, "-m", "scripts.prepare_videos"]
        + [f"--{name}={value}" for name, value in flags.items()],
        cwd=_ROOT,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while len(list(clips.glob("*.tfrecord"))) < 4:
        assert run.poll() is None
        time.sleep(0.005)
    run.kill()
    run.wait()
    _wait_for_end_of_group(run.pid)
    done = {int(path.name.split("_")[0]) for path in clips.glob("*.tfrecord")}
    assert 4 <= len(done) < 24
    # Videos read twice would be found broken.
    order = [_text(example, "clip/data_path") for example in _examples(records)]
    for position in done:
        video = source / order[position]
        video.write_bytes(bytes(video.stat().st_size))
    _prepare(source, output, **settings)
    assert _content(output) == _content(records)


def _wait_for_end_of_group(group):
    for _ in range(600):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    os.killpg(group, signal.SIGKILL)
    pytest.fail("A killed run leaves processes behind.")


def test_run_killed_while_joining_goes_on(
    videos, records, settings, tmp_path, monkeypatch
):
    output = tmp_path / "out"

    def interrupted(function, tasks, workers):
        for count, result in enumerate(run_parallel(function, tasks, workers)):
            if function is join and count == 1:
                raise KeyboardInterrupt
            yield result

    with monkeypatch.context() as patch:
        patch.setattr("grw_tf.data.preparation.prepare.run_parallel", interrupted)
        with pytest.raises(KeyboardInterrupt):
            _prepare(videos, output, **settings)
    assert 2 <= len(list(output.glob("*.tfrecord"))) < 5
    assert 0 < len(list((output / "unfinished" / "clips").iterdir())) < 24
    _prepare(videos, output, **settings)
    assert _content(output) == _content(records)


def test_finished_run_is_not_made_again(videos, records, settings):
    times = {path: path.stat().st_mtime_ns for path in records.iterdir()}
    manifest = _prepare(videos, records, **settings)
    assert manifest == json.loads((records / "manifest.json").read_text())
    assert times == {path: path.stat().st_mtime_ns for path in records.iterdir()}


def test_other_settings_or_videos_are_refused(videos, records, settings, tmp_path):
    before = _content(records)
    with pytest.raises(ValueError, match="was begun with fps 25.0, not 5.0: give"):
        _prepare(videos, records, **settings | {"fps": 5.0})
    shutil.copytree(videos, tmp_path / "videos")
    (tmp_path / "videos/run/run0.mp4").unlink()
    with pytest.raises(ValueError, match="begun with 24 videos, not these 23"):
        _prepare(tmp_path / "videos", records, **settings)
    (tmp_path / "videos/run/run0.mp4").touch()
    with pytest.raises(ValueError, match="or with other sizes, classes or splits"):
        _prepare(tmp_path / "videos", records, **settings)
    assert _content(records) == before


def test_unfinished_run_of_other_settings_is_refused(tmp_path):
    write_video(tmp_path / "in/run/a.mp4", greys(4))
    (tmp_path / "in/run/b.mp4").touch()
    with pytest.raises(ValueError, match="run/b.mp4 The file is empty"):
        _prepare(tmp_path / "in", tmp_path / "out", strict=True)
    with pytest.raises(ValueError, match="was begun with jpeg_quality 90, not 80"):
        _prepare(tmp_path / "in", tmp_path / "out", jpeg_quality=80)
    manifest = _prepare(tmp_path / "in", tmp_path / "out")
    assert len(manifest["failures"]) == 1


def test_two_runs_at_once_are_refused(videos, tmp_path):
    (tmp_path / "unfinished").mkdir()
    with (tmp_path / "unfinished" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ValueError, match="Another run is writing to"):
            _prepare(videos, tmp_path)


def test_records_of_others_are_refused(videos, tmp_path):
    (tmp_path / "train-00000-of-00001.tfrecord").touch()
    with pytest.raises(
        ValueError, match="holds records of another run, as train-00000"
    ):
        _prepare(videos, tmp_path)
    (path,) = tmp_path.iterdir()
    assert path.name == "train-00000-of-00001.tfrecord"


@pytest.fixture(scope="session")
def broken(tmp_path_factory):
    """Class folders with one good video and many that cannot be used."""
    root = tmp_path_factory.mktemp("broken")
    good = write_video(root / "run/good.mp4", greys(12))
    (root / "run/cut.mp4").write_bytes(good.read_bytes()[:-500])
    (root / "run/empty.mp4").touch()
    (root / "run/noise.avi").write_bytes(b"not a video")
    write_video(root / "jump/short.mp4", greys(1))
    (root / "jump/folder.mp4").mkdir()
    (root / "jump/gone.mp4").symlink_to(root / "nowhere.mp4")
    return root


def test_broken_videos_are_left_out_and_listed(broken, tmp_path):
    manifest = _prepare(broken, tmp_path / "out")
    reasons = {f["path"]: f["reason"] for f in manifest["failures"]}
    assert reasons == {
        "jump/folder.mp4": "Is a directory",
        "jump/gone.mp4": "No such file or directory",
        "jump/short.mp4": "has 1 frames at 5 a second: too short.",
        "run/cut.mp4": "has a codec that FFmpeg does not know.",
        "run/empty.mp4": "The file is empty.",
        "run/noise.avi": "Invalid data found when processing input",
    }
    (example,) = _examples(tmp_path / "out")
    assert _text(example, "clip/data_path") == "run/good.mp4"
    # Classes keep their place, with or without clips.
    assert read_labels(tmp_path / "out/labels.txt") == ("jump", "run")
    assert example.context.feature["clip/label/index"].int64_list.value == [1]


@pytest.mark.slow
def test_program_lists_broken_videos_and_fails(broken, tmp_path, run_program):
    flags = [f"--input={broken}", f"--output_dir={tmp_path}", "--workers=2"]
    done = run_program("scripts.prepare_videos", *flags)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    lines = done.stdout.splitlines()
    assert lines[1].split()[:4] == ["train", "1", "6", "1"]
    assert lines[2] == "train has no clips of jump."
    assert lines[4] == "6 of 7 videos are left out:"
    assert lines[9] == "run/empty.mp4    The file is empty."
    assert (tmp_path / "manifest.json").exists()


@pytest.mark.slow
def test_files_left_out_are_listed_and_fail_the_program(videos, tmp_path, run_program):
    folder = tmp_path / "in"
    for index in range(2):
        for place in ("run/anna", "jump", "."):
            (folder / place).mkdir(parents=True, exist_ok=True)
            shutil.copy(videos / "run/run0.mp4", folder / place / f"{index}.mp4")
    (folder / "jump/notes.txt").write_text("notes")
    out = tmp_path / "out"
    flags = [f"--input={folder}", f"--output_dir={out}", "--test_fraction=0"]
    done = run_program("scripts.prepare_videos", *flags)
    assert done.returncode == 1, done.stderr
    assert "2 x video in no class folder: 0.mp4, 1.mp4" in done.stdout
    assert "1 x text file: jump/notes.txt" in done.stdout
    listed = (out / "left_out.csv").read_text().splitlines()
    assert len(listed) == 4 and "0.mp4,video in no class folder,yes" in listed
    made = json.loads((out / "manifest.json").read_text())
    assert sum(part["clips"] for part in made["splits"].values()) == 4
    with pytest.raises(ValueError, match="2 files that are left out, as 0.mp4"):
        _prepare(folder, tmp_path / "other", strict=True)
    # A finished run tells what there is now.
    (folder / "0.mp4").unlink()
    manifest = _prepare(folder, out, test_fraction=0.0)
    faults = [part for part in manifest["left_out"] if part["is_fault"]]
    assert [part["first"] for part in faults] == [["1.mp4"]]
    (folder / "1.mp4").unlink()
    manifest = _prepare(folder, out, test_fraction=0.0)
    assert not any(part["is_fault"] for part in manifest["left_out"])
    assert "jump/notes.txt" in report(manifest)


def test_full_disk_is_told_and_leaves_nothing(videos, tmp_path):
    video = Video(videos / "run/run0.mp4", "run/run0.mp4", "run", "train", "run0")
    conversion = Conversion(video, 0, 0, tmp_path, PreparationConfig(fps=25.0))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(OSError, match="cannot be written: .*too large"):
            convert(conversion)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(tmp_path.iterdir())
    assert convert(conversion) == 100


def test_output_that_is_no_folder_is_told(videos, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        _prepare(videos, tmp_path / "file" / "records")


def test_table_with_segments_and_groups(tmp_path):
    colors = [RED] * 20 + [BLUE] * 20
    write_video(tmp_path / "take.mp4", colors)
    write_video(tmp_path / "other.mp4", colors)
    (tmp_path / "list.csv").write_text(
        "path,label,start,end,group\ntake.mp4,red,0,2,one\ntake.mp4,blue,2,,one\n"
        "take.mp4,late,9,,one\nother.mp4,red,0.5,1.5,two\n"
    )
    manifest = _prepare("", tmp_path / "out", csv=str(tmp_path / "list.csv"), fps=10.0)
    (failure,) = manifest["failures"]
    assert failure["reason"] == "ends at 4 s, before the start, 9 s."
    counts = {
        (split, label): clips
        for split, part in manifest["splits"].items()
        for label, clips in part["classes"].items()
    }
    assert counts["train", "blue"] == counts["train", "red"] == 1
    assert counts["test", "red"] == 1
    frames = {
        (_text(e, "clip/data_path"), _text(e, "clip/label/text")): len(
            e.feature_lists.feature_list["image/encoded"].feature
        )
        for e in _examples(tmp_path / "out")
    }
    take = {("take.mp4", "red"): 20, ("take.mp4", "blue"): 20}
    assert frames == take | {("other.mp4", "red"): 10}


def test_usual_and_unusual_splits_are_written(tmp_path, caplog):
    write_video(tmp_path / "a.mp4", greys(8))
    write_video(tmp_path / "b.mp4", greys(8))
    table = tmp_path / "list.csv"
    table.write_text("path,label,split\na.mp4,run,val\nb.mp4,run,unlisted\n")
    manifest = _prepare("", tmp_path / "out", csv=str(table))
    assert list(manifest["splits"]) == ["unlisted", "validation"]
    assert "Besides the usual splits, 'unlisted' has 1" in caplog.text
    assert "All videos are of one class, 'run'" in caplog.text
    table.write_text("path,label,split\na.mp4,run,a/b\n")
    with pytest.raises(ValueError, match="The split 'a/b' cannot name a file"):
        _prepare("", tmp_path / "other", csv=str(table))


def test_labels_may_be_given(tmp_path, caplog):
    write_video(tmp_path / "in/run/a.mp4", greys(8))
    labels = tmp_path / "labels.txt"
    labels.write_text("walk\nrun\n")
    _prepare(tmp_path / "in", tmp_path / "out", labels=str(labels))
    assert "All videos are of one class, 'run'" in caplog.text
    assert read_labels(tmp_path / "out/labels.txt") == ("walk", "run")
    (example,) = _examples(tmp_path / "out")
    assert example.context.feature["clip/label/index"].int64_list.value == [1]
    labels.write_text("walk\n")
    with pytest.raises(ValueError, match=r"lacks 1 of the classes found: \['run'\]"):
        _prepare(tmp_path / "in", tmp_path / "other", labels=str(labels))


def test_numbers_are_labels_in_their_order(tmp_path, caplog):
    for name in ("0", "1", "2", "10"):
        write_video(tmp_path / "in" / name / "a.mp4", greys(8))
    _prepare(tmp_path / "in", tmp_path / "out")
    assert read_labels(tmp_path / "out/labels.txt") == ("0", "1", "2", "10")
    indices = {
        _text(e, "clip/label/text"): e.context.feature["clip/label/index"]
        for e in _examples(tmp_path / "out")
    }
    assert indices["2"].int64_list.value == [2] and len(indices) == 4
    assert indices["10"].int64_list.value == [3]
    assert "The classes are not called 0 to 3: label 0 is the class '0'" in caplog.text
    caplog.clear()
    shutil.move(tmp_path / "in/10", tmp_path / "in/3")
    _prepare(tmp_path / "in", tmp_path / "other")
    assert "not called" not in caplog.text


def test_odd_names_come_through(tmp_path):
    labels = ["massaging person's head", "走る", "a, b; 100 %", "résumé"]
    for label in labels:
        write_video(tmp_path / "in" / label / "ü 1.mp4", greys(8))
    os.rename(
        tmp_path / "in/résumé/ü 1.mp4",
        os.fsencode(tmp_path / "in/résumé") + b"/\xff.mp4",
    )
    manifest = _prepare(tmp_path / "in", tmp_path / "out")
    assert manifest["failures"] == []
    assert read_labels(tmp_path / "out/labels.txt") == tuple(sorted(labels))
    assert len(_examples(tmp_path / "out")) == 4


@pytest.mark.parametrize("name", ["two\nlines", "two\u2028lines", " spaces", b"\xff"])
def test_labels_that_are_no_line_are_told(tmp_path, name):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + os.fsencode(name)))
    folder.mkdir()
    (folder / "a.mp4").touch()
    with pytest.raises(ValueError, match="rename it") as error:
        _prepare(tmp_path, tmp_path / "out")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"fps": 0.0}, "fps is 0.0: it must be above 0"),
        ({"fps": float("nan")}, "fps is nan"),
        ({"short_side": 0}, "short_side is 0"),
        ({"min_frames": 0}, "min_frames is 0"),
        ({"clips_per_shard": 0}, "clips_per_shard is 0"),
        ({"jpeg_quality": 101}, "jpeg_quality is 101: it must be 1 to 100"),
        ({"workers": -1}, "workers is -1"),
        ({"test_fraction": 1.0}, "test_fraction is 1.0: they must be 0 or more"),
        ({"output_dir": ""}, "output_dir is empty"),
        ({"input": ""}, "Give --input"),
        ({"input": "absent"}, "absent is not a folder"),
    ],
)
def test_wrong_settings_are_told(videos, tmp_path, fields, message):
    with pytest.raises(ValueError, match=message):
        _prepare(videos, tmp_path / "out", **fields)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_shared_videos_come_through(shared, tmp_path):
    manifest = _prepare(shared / "data" / "videos", tmp_path, workers=2)
    assert manifest["failures"] == [] and manifest["videos"] == 239
    clips = {split: part["clips"] for split, part in manifest["splits"].items()}
    assert clips == {"test": 51, "train": 187, "unlisted": 1}
    assert manifest["splits"]["train"]["classes"]["kickflip"] == 74
    check_records(f"{tmp_path}/*.tfrecord")


def test_shared_odd_videos_come_through(shared, tmp_path):
    folder = shared / "data" / "odd_videos"
    names = sorted(path.name for path in folder.iterdir())
    (tmp_path / "list.csv").write_text(
        "path,label\n" + "".join(f"{name},{name[0]}\n" for name in names)
    )
    manifest = _prepare(folder, tmp_path / "out", csv=str(tmp_path / "list.csv"))
    assert manifest["failures"] == [] and manifest["videos"] == len(names) == 7


@pytest.mark.slow
def test_videos_that_a_table_does_not_list_are_told(videos, tmp_path, run_program):
    table = tmp_path / "list.csv"
    table.write_text(
        "Path;Label;Split\nrun/run0.mp4;run;train\njump/jump0.mp4;jump;train"
    )
    flags = [f"--csv={table}", f"--input={videos}", f"--output_dir={tmp_path / 'out'}"]
    done = run_program("scripts.prepare_videos", *flags)
    assert done.returncode == 0, done.stderr
    assert "x video that the table does not list: jump/jump1.mp4" in done.stdout
