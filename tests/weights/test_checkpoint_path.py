"""Tests of finding the checkpoint that a user names."""

import os
import pathlib
import shutil
import tarfile

import pytest
import tensorflow as tf

from grw_tf.weights.checkpoint_path import find_checkpoint

NAME = "movinet_a0_stream"


def _save(prefix):
    return tf.train.Checkpoint(x=tf.Variable(1.0)).save(prefix)


def _pack(archive, folder):
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, arcname=".")
    return archive


def _read(given):
    """Returns the prefix found, after it was read."""
    with find_checkpoint(given) as (prefix, _):
        found = dict(tf.train.list_variables(prefix))
        assert "x/.ATTRIBUTES/VARIABLE_VALUE" in found
        return prefix


def _refused(given, message):
    refused = pytest.raises((OSError, ValueError), match=message)
    with refused as error, find_checkpoint(given):
        pass
    assert len(str(error.value).splitlines()) == 1


@pytest.fixture(params=["", "file://"], ids=["local", "remote"])
def scheme(request):
    """The start of a path; TensorFlow opens file:// by other means than Python."""
    return request.param


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The cache of downloads; no test here gets through to a server."""

    def refuse(name, sources, target):
        return {source.title: "no network" for source in sources}

    monkeypatch.setenv("GRW_TF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("grw_tf.weights.sources.fetch_first", refuse)
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


@pytest.mark.parametrize("ending", ["", ".index", ".data-00000-of-00001"])
def test_prefix_is_found_by_each_of_its_files(tmp_path, scheme, ending):
    prefix = f"{scheme}{_save(tmp_path / 'ckpt')}"
    assert _read(prefix + ending) == prefix


def test_path_objects_relative_and_home_paths_are_taken(tmp_path, monkeypatch):
    prefix = _save(tmp_path / "ckpt")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert _read(pathlib.Path(prefix)) == prefix
    assert _read("~/ckpt-1") == prefix
    assert _read("ckpt-1") == "ckpt-1"
    assert os.path.samefile(f"{_read('.')}.index", f"{prefix}.index")


def test_remote_prefix_and_folder_are_found():
    # Another file system than the local one.
    prefix = _save("ram://place/ckpt")
    for given in (prefix, "ram://place", "ram://place/"):
        with find_checkpoint(given) as (found, _):
            value = tf.Variable(0.0)
            tf.train.Checkpoint(x=value).read(found).expect_partial()
        assert os.path.basename(found) == "ckpt-1"
        assert value.numpy() == 1.0


def test_latest_of_a_folder_is_taken(tmp_path, scheme):
    checkpoint = tf.train.Checkpoint(x=tf.Variable(1.0))
    for _ in range(3):
        latest = checkpoint.save(f"{scheme}{tmp_path}/run/ckpt")
    assert _read(f"{scheme}{tmp_path}/run") == latest


def test_state_that_names_nothing_is_passed_over(tmp_path, scheme):
    _save(tmp_path / "run/ckpt")
    state = tmp_path / "run/checkpoint"
    state.write_text(state.read_text().replace("ckpt-1", "ckpt-9"))
    assert _read(f"{scheme}{tmp_path}/run") == f"{scheme}{tmp_path}/run/ckpt-1"


def test_state_of_a_folder_that_was_moved_still_names_the_latest(tmp_path, scheme):
    checkpoint = tf.train.Checkpoint(x=tf.Variable(1.0))
    for _ in range(2):
        checkpoint.save(f"{tmp_path}/old/ckpt")
    (tmp_path / "old").rename(tmp_path / "new")
    state = tmp_path / "new/checkpoint"
    state.write_text(f'model_checkpoint_path: "{tmp_path}/old/ckpt-2"')
    assert _read(f"{scheme}{tmp_path}/new") == f"{scheme}{tmp_path}/new/ckpt-2"


def test_latest_of_a_training_run_comes_before_its_best(tmp_path):
    latest = _save(tmp_path / "run/ckpt")
    _save(tmp_path / "run/best_ckpt/ckpt")
    assert _read(tmp_path / "run") == latest


def test_path_that_tensorflow_takes_for_a_pattern_is_refused(tmp_path):
    (tmp_path / "a[1]").mkdir()
    _refused(
        _save(tmp_path / "ckpt").replace("ckpt", "a[1]/ckpt"), "no official checkpoint"
    )
    for file in tmp_path.glob("ckpt*"):
        file.rename(tmp_path / "a[1]" / file.name)
    _refused(tmp_path / "a[1]", r"cannot read a path with one of \[ \] \* \?: rename")


def test_damaged_state_is_passed_over(tmp_path):
    prefix = _save(tmp_path / "run/ckpt")
    (tmp_path / "run/checkpoint").write_text("{")
    assert _read(tmp_path / "run") == prefix


def test_only_checkpoint_below_a_folder_is_taken(tmp_path, scheme):
    prefix = f"{scheme}{_save(tmp_path / 'run/deep/er/ckpt')}"
    assert _read(f"{scheme}{tmp_path}/run") == prefix


def test_several_without_a_state_are_listed(tmp_path, scheme):
    for name in ("a", "b/c"):
        _save(tmp_path / "run" / name)
    (tmp_path / "run/checkpoint").unlink()
    _refused(
        f"{scheme}{tmp_path}/run",
        "Expected one checkpoint in .*run, found 2: name one .* There is: a-1, b/c-1.",
    )


def test_some_of_many_are_listed(tmp_path):
    (tmp_path / "run").mkdir()
    for index in range(13):
        (tmp_path / "run" / f"ckpt-{index:02}.index").touch()
    _refused(f"{tmp_path}/run", "found 13: name one .* ckpt-08, ckpt-09 and 3 more.")


def test_folder_without_checkpoint_is_listed(tmp_path, scheme):
    (tmp_path / "run/models").mkdir(parents=True)
    (tmp_path / "run/weights.h5").touch()
    _refused(
        f"{scheme}{tmp_path}/run", r"one checkpoint .* found 0: .* models/?, weights.h5"
    )
    (tmp_path / "empty").mkdir()
    _refused(f"{scheme}{tmp_path}/empty", "There is: nothing.")


@pytest.mark.parametrize("inner", ["", f"{NAME}/"], ids=["flat", "nested"])
@pytest.mark.parametrize("suffix", [".tar.gz", ".tgz"])
def test_archive_is_unpacked_while_it_is_used(tmp_path, scheme, inner, suffix):
    _save(tmp_path / "run" / f"{inner}ckpt")
    archive = _pack(tmp_path / f"a{suffix}", tmp_path / "run")
    prefix = _read(f"{scheme}{archive}")
    assert prefix.endswith(f"/{inner}ckpt-1")
    assert not os.path.exists(f"{prefix}.index")


def test_remote_archive_is_copied_first(tmp_path):
    _save(tmp_path / "run/ckpt")
    archive = _pack(tmp_path / "a.tar.gz", tmp_path / "run")
    tf.io.gfile.copy(str(archive), "ram://archives/a.tar.gz")
    assert _read("ram://archives/a.tar.gz").endswith("/ckpt-1")


def test_latest_of_an_archived_training_run_is_taken(tmp_path):
    checkpoint = tf.train.Checkpoint(x=tf.Variable(1.0))
    for _ in range(2):
        checkpoint.save(f"{tmp_path}/run/ckpt")
    archive = _pack(tmp_path / "a.tar.gz", tmp_path / "run")
    assert os.path.basename(_read(archive)) == "ckpt-2"


def test_hidden_files_of_an_archive_are_passed_over(tmp_path):
    _save(tmp_path / "run/ckpt")
    (tmp_path / "run/._ckpt-1.index").write_bytes(b"of macOS")
    assert _read(_pack(tmp_path / "a.tgz", tmp_path / "run")).endswith("/ckpt-1")


def test_damaged_archive_is_named(tmp_path, scheme):
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(b"no archive")
    _refused(f"{scheme}{archive}", "/a.tar.gz cannot be unpacked")


def test_index_without_data_is_refused(tmp_path):
    prefix = _save(tmp_path / "ckpt")
    pathlib.Path(f"{prefix}.data-00000-of-00001").unlink()
    _refused(prefix, r"ckpt-1.index lies there without its ckpt-1.data files")
    _refused(tmp_path, r"ckpt-1.index lies there without its ckpt-1.data files")


def test_other_file_is_refused(tmp_path):
    (tmp_path / "weights.h5").touch()
    _refused(
        tmp_path / "weights.h5", "weights.h5 is not a TensorFlow checkpoint .*index"
    )


@pytest.mark.parametrize("name", ["a0_stream", "MoViNet-A0-Stream"])
def test_official_name_comes_from_the_cache(cache, name):
    _save(cache / NAME / "ckpt")
    assert _read(name) == str(cache / NAME / "ckpt-1")


def test_official_archive_put_into_the_cache_is_taken(tmp_path, cache):
    _save(tmp_path / "run/ckpt")
    _pack(cache / f"{NAME}.tar.gz", tmp_path / "run")
    assert _read(NAME) == str(cache / NAME / "ckpt-1")


def test_official_name_is_downloaded():
    _refused(NAME, f"{NAME} cannot be downloaded .*no network")


def test_path_comes_before_an_official_name(tmp_path, cache, monkeypatch):
    _save(cache / NAME / "ckpt")
    monkeypatch.chdir(tmp_path)
    _save(f"{NAME}/mine")
    assert _read(NAME) == f"{NAME}/mine-1"
    shutil.rmtree(NAME)
    pathlib.Path(NAME).touch()
    _refused(NAME, "is not a TensorFlow checkpoint")


def test_nothing_found_names_what_there_could_be(tmp_path):
    _refused(tmp_path / "ckpt", "There is no checkpoint .*/ckpt .* Official checkpoi")
    _refused("a0_steam", "There is no checkpoint a0_steam .* mean movinet_a0_stream?")
    _refused(tmp_path / "a.tar.gz", "There is no checkpoint .*a.tar.gz")


def test_storage_that_cannot_be_read_is_named():
    _refused("s3://bucket/ckpt", "s3://bucket/ckpt cannot be read: .*not implemented")


def test_errors_of_the_user_pass_through(tmp_path):
    prefix = _save(tmp_path / "ckpt")
    with pytest.raises(tf.errors.DataLossError), find_checkpoint(prefix):
        raise tf.errors.DataLossError(None, None, "the user's")
