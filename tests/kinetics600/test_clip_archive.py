"""Behavior of unpacking archives of class folders."""

import io
import tarfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest
from drawn_videos import greys, write_video

from grw_tf.kinetics600 import clip_archive
from grw_tf.kinetics600.clip_archive import is_archive, unpack_clips

FILES = {
    "k600/test/run/a.mp4": b"one" * 1000,
    "k600/test/run/b.avi": b"two",
    "k600/test/jump/c.mp4": b"three",
    "k600/test/run/notes.txt": b"no video",
    "k600/test/run/.hidden.mp4": b"hidden",
    "__MACOSX/run/a.mp4": b"rubbish",
}
VIDEOS = {name: data for name, data in FILES.items() if name[-4:] in (".avi", ".mp4")}
del VIDEOS["k600/test/run/.hidden.mp4"], VIDEOS["__MACOSX/run/a.mp4"]


def _pack(path, files, *members):
    """Writes an archive of files, and of tar members that are none."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return path
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for member in members:
            archive.addfile(member)
    return path


def _found(root):
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.name[0] != "."
    }


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tgz", "a.zip"])
def test_videos_are_unpacked_and_found_again(tmp_path, name):
    archive = _pack(tmp_path / name, FILES)
    assert is_archive(archive)
    root = unpack_clips(archive)
    assert root == tmp_path / "a" / "k600" / "test"
    assert _found(tmp_path / "a") == VIDEOS
    times = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    assert unpack_clips(archive) == root
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == times


def test_what_a_killed_run_left_is_gone_on_with(tmp_path, monkeypatch):
    archive = _pack(tmp_path / "a.tar", FILES)
    written = []
    write = clip_archive._write

    def killed(member, path):
        if len(written) == 1:
            # As if half of it had been written.
            path.write_bytes(FILES[member.name][:1])
            raise KeyboardInterrupt
        written.append(path)
        write(member, path)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(clip_archive, "_write", killed)
        unpack_clips(archive)
    assert not (tmp_path / "a").exists()
    written_at = written[0].stat().st_mtime_ns
    root = unpack_clips(archive)
    assert _found(tmp_path / "a") == VIDEOS
    assert (root / "run" / "a.mp4").stat().st_mtime_ns == written_at


def test_several_at_once_unpack_once(tmp_path, monkeypatch):
    archive = _pack(tmp_path / "a.tar", FILES)
    written = []
    write = clip_archive._write

    def slow(member, path):
        written.append(member.name)
        time.sleep(0.02)
        write(member, path)

    monkeypatch.setattr(clip_archive, "_write", slow)
    with ThreadPoolExecutor(3) as threads:
        roots = list(threads.map(unpack_clips, 3 * [archive]))
    assert roots == 3 * [tmp_path / "a" / "k600" / "test"]
    assert len(written) == len(set(written))
    assert _found(tmp_path / "a") == VIDEOS


def test_videos_of_any_name_are_unpacked(tmp_path, caplog):
    video = write_video(tmp_path / "a.mp4", greys(4)).read_bytes()
    files = {"run/anna/a.MTS": video, "run/b": video, "jump/c.dat": video}
    root = unpack_clips(_pack(tmp_path / "b.tar", files | {"run/notes": b"text"}))
    assert root == tmp_path / "b" and _found(root) == files
    assert "1 x text file: run/notes" in caplog.text


def test_folder_may_be_named(tmp_path):
    archive = _pack(tmp_path / "a.zip", {"x/run/a.mp4": b"1", "x/jump/b.mp4": b"2"})
    root = unpack_clips(archive, tmp_path / "else" / "where")
    assert root == tmp_path / "else" / "where" / "x"
    assert not (tmp_path / "a").exists()


def test_of_several_splits_the_test_split_is_taken(tmp_path):
    files = {f"{split}/run/a.mp4": b"1" for split in ("val", "test")}
    assert unpack_clips(_pack(tmp_path / "a.zip", files)) == tmp_path / "a" / "test"


@pytest.mark.parametrize("name", ["../out.mp4", "/tmp/out.mp4", "a/../../out.mp4"])
@pytest.mark.parametrize("kind", ["a.tar", "a.zip"])
def test_names_outside_are_refused(tmp_path, kind, name):
    archive = _pack(tmp_path / kind, {name: b"x"})
    with pytest.raises(ValueError, match="lies outside.*get a sound copy"):
        unpack_clips(archive, tmp_path / "deep" / "er")
    assert not list(tmp_path.rglob("out.mp4"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_the_like_are_refused(tmp_path, kind):
    member = tarfile.TarInfo("run/a.mp4")
    member.type, member.linkname = kind, "/etc/passwd"
    archive = _pack(tmp_path / "a.tar", {}, member)
    with pytest.raises(ValueError, match="'run/a.mp4', not a plain file or folder"):
        unpack_clips(archive)


def test_links_in_zip_files_are_refused(tmp_path):
    info = zipfile.ZipInfo("run/a.mp4")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(ValueError, match="not a plain file or folder"):
        unpack_clips(tmp_path / "a.zip")


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.zip"])
def test_damaged_archives_are_refused(tmp_path, name):
    archive = _pack(tmp_path / name, {"run/a.mp4": bytes(range(256)) * 100})
    content = archive.read_bytes()
    archive.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="cannot be unpacked .*get a sound copy"):
        unpack_clips(archive)
    assert not (tmp_path / "a").exists()


def test_archives_without_one_folder_of_classes_are_refused(tmp_path):
    none = _pack(tmp_path / "a.tar", {"run/notes.txt": b"x"})
    with pytest.raises(ValueError, match="holds 0 folders of class folders"):
        unpack_clips(none)
    several = _pack(tmp_path / "b.tar", {"a/run/a.mp4": b"x", "b/run/a.mp4": b"x"})
    with pytest.raises(ValueError, match=r"holds 2 folders .* \(a, b\): expected one"):
        unpack_clips(several)


def test_twice_the_same_name_is_refused(tmp_path):
    member = tarfile.TarInfo("run/a.mp4")
    archive = _pack(tmp_path / "a.tar", {"run/a.mp4": b"x"}, member)
    with pytest.raises(ValueError, match="'run/a.mp4' twice"):
        unpack_clips(archive)


def test_folders_of_others_are_not_taken(tmp_path):
    archive = _pack(tmp_path / "a.tar", FILES)
    (tmp_path / "a").mkdir()
    with pytest.raises(ValueError, match="not unpacked from this .*another --unpack_d"):
        unpack_clips(archive)


def test_where_nothing_can_be_written_says_so(tmp_path):
    archive = _pack(tmp_path / "a.tar", FILES)
    with pytest.raises(OSError, match="another --unpack_dir"):
        unpack_clips(archive, archive / "in a file")
