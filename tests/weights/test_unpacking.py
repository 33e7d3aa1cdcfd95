"""Tests of unpacking archives: sound ones whole, others not at all."""

import gzip
import io
import random
import tarfile

import pytest

from grw_tf.weights import unpacking
from grw_tf.weights.unpacking import extract

NOISE = random.Random(0).randbytes(50_000)


def _file(name, data=b"x"):
    member = tarfile.TarInfo(name)
    member.size = len(data)
    return member, data


def _special(name, type, linkname=""):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = type, linkname
    return member, b""


def _pax(name, **headers):
    member, data = _file(name)
    member.pax_headers = headers
    return member, data


def _pack(path, *members):
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as tar:
        for member, data in members:
            tar.addfile(member, io.BytesIO(data))
    return path


@pytest.fixture
def place(tmp_path):
    """An empty folder within another, to see what is written outside."""
    place = tmp_path / "place"
    place.mkdir()
    return place


def _refused(path, place, message):
    with pytest.raises(ValueError, match=message) as error:
        extract(path, place / "new")
    assert len(str(error.value).splitlines()) == 1
    assert str(path) in str(error.value)
    assert list(place.iterdir()) == []
    assert set(place.parent.iterdir()) == {path, place}


def test_files_and_folders_are_unpacked(tmp_path):
    path = _pack(
        tmp_path / "a.tar.gz",
        _special("deep", tarfile.DIRTYPE),
        _file("deep/noise", NOISE),
        _file("./deep/er/empty", b""),
    )
    extract(path, tmp_path / "new")
    assert (tmp_path / "new/deep/noise").read_bytes() == NOISE
    assert (tmp_path / "new/deep/er/empty").read_bytes() == b""
    assert sorted(tmp_path.iterdir()) == [path, tmp_path / "new"]


def test_what_a_killed_run_left_is_cleared_away(tmp_path):
    (tmp_path / "new.unfinished").mkdir()
    (tmp_path / "new.unfinished/half").touch()
    extract(_pack(tmp_path / "a.tar.gz", _file("whole")), tmp_path / "new")
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["whole"]


@pytest.mark.parametrize(
    "member",
    [
        _special("bad", tarfile.SYMTYPE, "good"),
        _special("bad", tarfile.SYMTYPE, "/etc"),
        _special("bad", tarfile.LNKTYPE, "good"),
        _special("bad", tarfile.CHRTYPE),
        _special("bad", tarfile.BLKTYPE),
        _special("bad", tarfile.FIFOTYPE),
        _special("bad", b"Z"),
        _pax("bad", **{"GNU.sparse.size": "9", "GNU.sparse.map": "0,1"}),
    ],
    ids="symlink outward hardlink character block fifo unknown sparse".split(),
)
def test_only_plain_files_and_folders_are_taken(place, member):
    path = _pack(place.parent / "a.tar.gz", _file("good"), member)
    _refused(path, place, "holds 'bad', not a plain file or folder")


@pytest.mark.parametrize(
    "member, name",
    [
        (_file("../bad"), "'../bad'"),
        (_file("in/../../bad"), "'in/../../bad'"),
        (_file("/tmp/bad"), "'/tmp/bad'"),
        (_special("../bad", tarfile.DIRTYPE), "'../bad'"),
        (_pax("harmless", path="../bad"), "'../bad'"),
        (_pax("harmless", path="/tmp/bad"), "'/tmp/bad'"),
        (_file("../\x1b[2J\nbad"), r"'../\\x1b\[2J\\nbad'"),
    ],
    ids="parent within absolute folder pax_parent pax_absolute control".split(),
)
def test_nothing_is_written_outside(place, member, name):
    path = _pack(place.parent / "a.tar.gz", _file("good"), member)
    _refused(path, place, f"holds {name}, which lies outside")


def test_file_in_the_way_of_a_folder_leaves_nothing(place):
    path = _pack(place.parent / "a.tar.gz", _file("a"), _file("a/b"))
    with pytest.raises(ValueError, match="'a/b' twice, or within a file"):
        extract(path, place / "new")
    assert list(place.iterdir()) == []


def test_pax_headers_without_end_are_refused(place):
    header = _pax("x", comment="y")[0].tobuf(tarfile.PAX_FORMAT)[: 2 * 512]
    path = place.parent / "a.tar.gz"
    path.write_bytes(gzip.compress(header * 2000))
    _refused(path, place, "cannot be unpacked")


def test_huge_header_is_not_read(place):
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 5 * 2**30
    path = place.parent / "a.tar.gz"
    path.write_bytes(gzip.compress(header.tobuf()))
    _refused(path, place, "a header of 5368709120 bytes")


def test_bomb_is_refused_by_the_size_it_names(place):
    header = tarfile.TarInfo("bomb")
    header.size = 3 * 2**30
    path = place.parent / "a.tar.gz"
    path.write_bytes(gzip.compress(header.tobuf()))
    _refused(path, place, "more than 2147483648 bytes")


@pytest.mark.parametrize("behind", [0, 10**6], ids=["in_a_file", "behind_the_end"])
def test_bomb_is_refused_by_what_comes(place, monkeypatch, behind):
    monkeypatch.setattr(unpacking, "_MOST_BYTES", 500_000)
    path = place.parent / "a.tar.gz"
    _pack(path, _file("bomb", bytes(10**6 - behind)))
    path.write_bytes(path.read_bytes() + gzip.compress(bytes(behind)))
    _refused(path, place, "more than 500000 bytes")


def test_endless_members_are_refused(place):
    path = _pack(place.parent / "a.tar.gz", *(_file(f"{n}") for n in range(1001)))
    _refused(path, place, "more than 1000 files")


@pytest.mark.parametrize("keep", [0, 5, 15, 600, -10_000, -9, -1])
def test_truncated_archive_is_refused(place, keep):
    path = _pack(place.parent / "a.tar.gz", _file("noise", NOISE), _file("last"))
    path.write_bytes(path.read_bytes()[:keep])
    _refused(path, place, "get a sound copy")


@pytest.mark.parametrize("at", [20, 25_000, -6])
def test_damaged_archive_is_refused(place, at):
    path = _pack(place.parent / "a.tar.gz", _file("noise", NOISE))
    data = bytearray(path.read_bytes())
    data[at] ^= 0x55
    path.write_bytes(data)
    _refused(path, place, "get a sound copy")


@pytest.mark.parametrize(
    "data",
    [
        b"<html>Sign in</html>",
        gzip.compress(b"text" * 1000),
        gzip.compress(b""),
        gzip.compress(bytes(10240)),
    ],
    ids=["html", "no_tar", "nothing", "no_members"],
)
def test_other_files_are_refused(place, data):
    path = place.parent / "a.tar.gz"
    path.write_bytes(data)
    _refused(path, place, "get a sound copy")


def test_missing_archive_is_named(place):
    with pytest.raises(FileNotFoundError, match="none.tar.gz"):
        extract(place / "none.tar.gz", place / "new")
