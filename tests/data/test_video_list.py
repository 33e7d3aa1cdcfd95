"""Behavior of listing videos."""

import itertools
import os

import pytest
from drawn_videos import greys, write_video

from grw_tf.data.listing.unread_kinds import ARCHIVE, BROKEN_LINK, DAMAGED
from grw_tf.data.listing.video_list import (
    list_folder,
    list_table,
    list_unlisted,
    read_class_folders,
    read_folder,
)


def _touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def _table(root, text, encoding="utf-8"):
    path = root / "list.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_classes_are_folders(tmp_path, caplog):
    _touch(tmp_path, "run/b.MP4", "run/a.gif", "jump/a.webm", "run/notes.txt")
    _touch(tmp_path, ".cache/x.mp4", "run/.hidden.mp4", "none/notes.txt")
    found = list_folder(tmp_path)
    assert [video.name for video in found] == ["jump/a.webm", "run/a.gif", "run/b.MP4"]
    assert [video.label for video in found] == ["jump", "run", "run"]
    assert {video.split for video in found} == {""}
    assert all(video.path.is_file() for video in found)
    assert "none is left out: it has no videos" in caplog.text


def test_class_folders_alone_are_listed(tmp_path):
    _touch(tmp_path, "test/b.mp4", "test/a.avi", "Zoo/anna/b.MTS", "none/notes.txt")
    _touch(tmp_path, ".cache/x.mp4", "a.mp4")
    (tmp_path / "splits.csv").write_text("path,label,split\n")
    listing, folders = read_class_folders(tmp_path)
    names = [video.name for video in listing.videos]
    assert names == ["Zoo/anna/b.MTS", "test/a.avi", "test/b.mp4"]
    assert folders == ["Zoo", "none", "test"]
    assert [file.name for file in listing.left_out if file.is_fault] == ["a.mp4"]
    for path in (tmp_path / "none", tmp_path / "missing"):
        with pytest.raises(ValueError, match="expected class folders of videos"):
            read_class_folders(path)


@pytest.mark.parametrize("name", ["val", "valid", "validate", "validation"])
def test_splits_are_folders(tmp_path, name):
    _touch(tmp_path, "test/run/a.mp4", f"{name}/run/a.mp4", "train/run/a.mp4")
    splits = [video.split for video in list_folder(tmp_path)]
    assert splits == ["train", "validation", "test"]


def test_one_split_folder_is_a_split(tmp_path):
    _touch(tmp_path, "test/abseiling/-3B32lodo2M_000059_000069.mp4")
    (video,) = list_folder(tmp_path)
    assert (video.label, video.split) == ("abseiling", "test")


def test_splits_table_beside_the_class_folders_says_what_there_is(tmp_path):
    _touch(tmp_path, "run/a.mp4", "run/b.mp4")
    (tmp_path / "splits.csv").write_text("path,label,split\nrun/b.mp4,walk,val\n")
    (video,) = list_folder(tmp_path)
    assert (video.name, video.label, video.split) == ("run/b.mp4", "walk", "validation")
    (tmp_path / "splits.csv").write_text("path,label\nrun/b.mp4,walk\n")
    with pytest.raises(ValueError, match=r"lacks the columns \['split'\]"):
        list_folder(tmp_path)


def test_shared_splits_are_the_listed_ones(shared):
    videos = list_folder(shared / "data" / "videos")
    splits = [v.split for v in videos if v.label in ("kickflip", "ollie")]
    assert (splits.count("train"), splits.count("test")) == (150, 38)


def test_all_that_is_not_taken_is_named(tmp_path, caplog):
    _touch(tmp_path, "run/a.mp4", "run/anna/b.MTS", "loose.mp4", "run/empty")
    _touch(tmp_path, ".DS_Store", "run/Thumbs.db", "run/._a.mp4", "run/.old.mp4")
    _touch(tmp_path, ".cache/x.mp4", "@eaDir/run/a.mp4")
    (tmp_path / "run/notes.txt").write_text("notes")
    write_video(tmp_path / "clip.mp4", greys(4)).rename(tmp_path / "run/ben")
    listing = read_folder(tmp_path)
    names = ["run/a.mp4", "run/anna/b.MTS", "run/ben"]
    assert [video.name for video in listing.videos] == names
    left_out = {file.name: (file.kind, file.is_fault) for file in listing.left_out}
    assert left_out == {
        "loose.mp4": ("video in no class folder", True),
        "run/empty": ("empty file", False),
        "run/notes.txt": ("text file", False),
        "run/.old.mp4": ("hidden file", False),
        ".cache": ("hidden folder", False),
    }
    assert not caplog.text
    assert list_folder(tmp_path) == listing.videos
    assert "1 x video in no class folder: loose.mp4" in caplog.text
    assert "1 x text file: run/notes.txt" in caplog.text


def test_videos_that_the_splits_table_does_not_list_are_named(tmp_path):
    _touch(tmp_path, "run/a.mp4", "run/b.mp4")
    (tmp_path / "splits.csv").write_text("path,label,split\n./run/b.mp4,run,TEST\n")
    listing = read_folder(tmp_path)
    (file,) = listing.left_out
    assert file.name == "run/a.mp4" and "splits.csv does not list" in file.kind
    assert listing.videos[0].split == "test" and file.is_fault


def test_composed_and_decomposed_folders_are_one_class(tmp_path):
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    _touch(tmp_path, f"{composed}/a.mp4", f"{decomposed}/b.mp4", "run/a.mp4")
    labels = [video.label for video in list_folder(tmp_path)]
    assert labels == [composed, composed, "run"]
    listing, folders = read_class_folders(tmp_path)
    assert folders == [composed, "run"] and len(listing.videos) == 3
    assert all(video.path.is_file() for video in listing.videos)
    # A table may be written on another system than the folders.
    table = _table(
        tmp_path,
        f"path,label\n{composed}/b.mp4,{decomposed}\n{decomposed}/a.mp4,{composed}\n",
    )
    found = list_table(table)
    assert {video.label for video in found} == {composed}
    (tmp_path / decomposed / "b.mp4").rename(tmp_path / composed / "b.mp4")
    (tmp_path / decomposed).rmdir()
    assert all(video.path.is_file() for video in list_table(table))


def test_folders_named_by_numbers_are_in_their_order(tmp_path):
    _touch(tmp_path, *(f"{number}/a.mp4" for number in (10, 2, 0, 1)))
    assert read_class_folders(tmp_path)[1] == ["0", "1", "2", "10"]


def test_classes_alike_are_told(tmp_path, caplog):
    _touch(tmp_path, "Run/a.mp4", "run/a.mp4", "run/b.mp4")
    list_folder(tmp_path)
    assert "'Run' (1 videos) and 'run' (2 videos), which differ only" in caplog.text
    caplog.clear()
    list_table(_table(tmp_path, "path,label\na.mp4,High jump\nb.mp4,High  jump\n"))
    assert "'High  jump' (1 videos) and 'High jump' (1 videos)" in caplog.text


def test_paths_of_windows_are_read(tmp_path):
    _touch(tmp_path, "train/a/b.mp4", "odd\\name.mp4")
    table = _table(tmp_path, "path,label\ntrain\\a\\b.mp4,a\nodd\\name.mp4,b\n")
    first, second = list_table(table)
    assert first.name == first.group == "train/a/b.mp4" and first.path.is_file()
    assert second.name == "odd\\name.mp4" and second.path.is_file()
    twice = _table(tmp_path, "path,label\ntrain\\a\\b.mp4,a\ntrain/a/b.mp4,a\n")
    with pytest.raises(ValueError, match="line 3: train/a/b.mp4 was listed in line 2"):
        list_table(twice)


@pytest.mark.parametrize(
    "path", ["C:/clips/a.mp4", "C:a.mp4", "c:\\a.mp4", "\\clips\\a.mp4", "\\\\s\\c\\a"]
)
def test_paths_on_drives_of_windows_are_refused(tmp_path, path):
    with pytest.raises(ValueError, match="line 2: .* is a path on a drive of Windows"):
        list_table(_table(tmp_path, f"path,label\n{path},a\n"))


def test_letters_and_slashes_of_other_systems_are_read_together(tmp_path):
    composed, decomposed = "\u00fc", "u\u0308"
    _touch(tmp_path, f"{decomposed} dir/{composed}.mp4")
    for folder, name in itertools.product((composed, decomposed), repeat=2):
        for slash in "/\\":
            row = f"{folder} dir{slash}{name}.mp4,run"
            (video,) = list_table(_table(tmp_path, f"path,label\n{row}\n"))
            assert video.path.is_file()
            row = f"{tmp_path}/{row}".replace("\\", "/")
            (video,) = list_table(_table(tmp_path, f"path,label\n{row}\n"))
            assert video.path.is_file()


def test_file_listed_by_two_paths_is_told(tmp_path):
    _touch(tmp_path, "a/b.mp4")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    for other in (tmp_path / "a/b.mp4", "a/../a/b.mp4", "link/b.mp4"):
        table = _table(tmp_path, f"path,label\na/b.mp4,run\n{other},walk\n")
        with pytest.raises(ValueError, match="line 3: .* was listed in line 2 already"):
            list_table(table)


def test_all_lines_that_repeat_a_video_are_told_at_once(tmp_path):
    table = _table(tmp_path, "path,label\na,x\na,x\nb,x\nb,y\nc,x\na,x\n")
    with pytest.raises(ValueError, match=r"line 3: a .*of 3 such .* next: 5, 7\)"):
        list_table(table)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("split", ["split", "Split", " split", '"SPLIT "'])
def test_header_is_read_in_any_spelling(tmp_path, separator, split):
    lines = [["Path", split, "LABEL"], ["a.mp4", "test", '"one, two; three"'], []]
    text = "\r\n".join(separator.join(line) for line in lines)
    (video,) = list_table(_table(tmp_path, f"\ufeff{text}"))
    assert (video.name, video.split) == ("a.mp4", "test")
    assert video.label == "one, two; three"


@pytest.mark.parametrize(
    "column, meant",
    [
        *(("spilt", "split"), ("splits", "split"), ("subset", "split")),
        *(("start_time", "start"), ("time_end", "end"), ("groups", "group")),
    ],
)
def test_columns_that_are_ignored_by_their_spelling_are_told(
    tmp_path, caplog, column, meant
):
    list_table(_table(tmp_path, f"path,label,{column}\na.mp4,run,\n"))
    assert f"the column '{column}' is ignored. If it gives the {meant}," in caplog.text


def test_other_columns_are_ignored_without_a_word(tmp_path, caplog):
    header = "path,label,split,width,codec,split_seed,"
    list_table(_table(tmp_path, f"{header}\na.mp4,run,train,1,2,3,\n"))
    assert not caplog.text


def test_faults_are_files_that_were_perhaps_meant_to_be_taken(tmp_path):
    _touch(tmp_path, "run/a.mp4", "run/.h.mp4")
    video = write_video(tmp_path / "clip.mp4", greys(8))
    content = video.read_bytes()
    video.unlink()
    (tmp_path / "run/cut.dat").write_bytes(content[: len(content) // 3])
    (tmp_path / "run/clips.zip").write_bytes(b"PK\x03\x04" + bytes(100))
    (tmp_path / "run/clips.tar.gz").write_bytes(b"\x1f\x8b" + bytes(100))
    (tmp_path / "run/noise.bin").write_bytes(bytes([200, 1, 2, 3]) * 99)
    (tmp_path / "run/anna").symlink_to(tmp_path / "nowhere")
    (tmp_path / "run/loop").symlink_to(tmp_path / "run/loop")
    left_out = {file.name: file for file in read_folder(tmp_path).left_out}
    faults = {name for name, file in left_out.items() if file.is_fault}
    assert {name: left_out[name].kind for name in faults} == {
        "run/cut.dat": DAMAGED,
        "run/clips.zip": ARCHIVE,
        "run/clips.tar.gz": ARCHIVE,
        "run/anna": BROKEN_LINK,
        "run/loop": "file that cannot be read (Too many levels of symbolic links)",
    }
    assert left_out.keys() - faults == {"run/noise.bin", "run/.h.mp4"}


def test_videos_of_the_folder_that_a_table_does_not_list_are_counted(tmp_path):
    _touch(tmp_path, "in/a.mp4", "in/b/c.mp4")
    table = _table(tmp_path, f"path,label\n{tmp_path}/in/b/../a.mp4,run\n")
    (file,) = list_unlisted(tmp_path / "in", list_table(table, tmp_path / "in"))
    assert file.name == "b/c.mp4" and "the table does not list" in file.kind
    assert not file.is_fault


@pytest.mark.parametrize("other", ["eval", "holdout"])
def test_folder_with_videos_is_not_called_empty(tmp_path, caplog, other):
    _touch(tmp_path, "train/run/a.mp4", "train/jump/a.mp4", f"{other}/run/a.mp4")
    _touch(tmp_path, "none/notes.txt", "train/walk/notes.txt")
    listing = read_folder(tmp_path)
    assert f"{other} is left out" not in caplog.text
    for empty in ("none", "walk"):
        assert f"{empty} is left out: it has no videos" in caplog.text
    assert [file.name for file in listing.left_out if file.is_fault] == [
        f"{other}/run/a.mp4"
    ]


def test_links_to_folders_are_followed_once(tmp_path):
    _touch(tmp_path / "else", "a.mp4")
    (tmp_path / "in/run").mkdir(parents=True)
    (tmp_path / "in/run/anna").symlink_to(tmp_path / "else")
    (tmp_path / "else/up").symlink_to(tmp_path / "in")
    assert [v.name for v in list_folder(tmp_path / "in")] == ["run/anna/a.mp4"]


def test_table_beside_class_folders_needs_no_word_on_splits(tmp_path, caplog):
    _touch(tmp_path, "clips/train/a.mp4", "clips/b.mp4")
    (tmp_path / "splits.csv").write_text("path,label,split\nclips/b.mp4,run,test\n")
    assert len(list_folder(tmp_path)) == 1
    assert "named as splits" not in caplog.text
    (tmp_path / "splits.csv").unlink()
    assert len(list_folder(tmp_path)) == 2
    assert "clips/train is named as splits" in caplog.text


def test_table_names_splits_as_it_likes(tmp_path):
    rows = [("Train", "train"), ("TEST", "test"), ("val", "validation"), ("x", "x")]
    lines = "".join(f"{k}.mp4,run,{name}\n" for k, (name, _) in enumerate(rows))
    table = _table(tmp_path, f"path,label,split\n{lines}")
    assert [v.split for v in list_table(table)] == [split for _, split in rows]


def test_table_gives_segments_and_groups(tmp_path):
    table = _table(
        tmp_path,
        "\ufeffpath,label,start,end,group,other\n"
        'a.mp4,"jump, high",1.5,3,day 1,x\n\n'
        "./b/c.mp4, run ,,,,\na.mp4,run,3,,day 1,\n",
    )
    first, second, third = list_table(table)
    assert (first.path, first.name) == (tmp_path / "a.mp4", "a.mp4")
    assert (first.label, first.start, first.end) == ("jump, high", 1.5, 3.0)
    assert first.group == third.group == "day 1"
    assert (second.label, second.start, second.end) == ("run", 0.0, None)
    assert second.group == "b/c.mp4" and third.end is None
    elsewhere = list_table(table, tmp_path.parent)
    assert elsewhere[0].path == tmp_path.parent / "a.mp4"


def test_kinetics_annotations_find_clips_in_any_folder(tmp_path):
    _touch(tmp_path, "test/part_1/--x_1_2_000059_000069.mp4", "b_000007_000017.mkv")
    table = _table(
        tmp_path,
        "label,youtube_id,time_start,time_end,split,is_cc\n"
        '"massaging person\'s head",--x_1_2,59,69,test,0\nyoga,b,7.0,17.0,test,0\n'
        "zumba,gone,1,11,test,0\nzumba,b,20,30,validate,1\n",
    )
    found = list_table(table, tmp_path)
    assert [video.name for video in found] == [
        "test/part_1/--x_1_2_000059_000069.mp4",
        "b_000007_000017.mkv",
        "gone_000001_000011.mp4",
        "b_000020_000030.mp4",
    ]
    assert found[0].label == "massaging person's head"
    assert [v.split for v in found] == ["test", "test", "test", "validation"]
    # Clips are cut already.
    assert {(v.start, v.end) for v in found} == {(0.0, None)}
    assert found[1].group == found[3].group == "b"
    _touch(tmp_path, "copy/b_000007_000017.mp4")
    with pytest.raises(ValueError, match="is there twice"):
        list_table(table, tmp_path)


@pytest.mark.parametrize(
    "text, message",
    [
        ("path|label\na|b\n", r"lacks the columns \['label', 'path'\]: has \['path|la"),
        ("path,label,Split,split\na,b,c,d\n", "has the column 'split' twice: rename"),
        ("path,label, PATH \na,b,c\n", "has the column 'path' twice: rename"),
        ("", "lacks the columns"),
        ("path,label\n", "lists no videos"),
        ("path,label\na.mp4\n", "line 2: the cell of column label is empty"),
        ("path,label\n,run\n", "line 2: the cell of column path is empty"),
        ("path,label\na.mp4,jump, high\n", "line 2: has more cells than columns"),
        ("path,label,start\na,b,x\n", "line 2: start is 'x': expected seconds"),
        ("path,label,start\na,b,-1\n", "line 2: start is '-1': expected seconds"),
        ("path,label,end\na,b,nan\n", "line 2: end is 'nan': expected seconds"),
        ("path,label,start,end\na,b,2,2\n", "line 2: end is 2 s: it must be after"),
        ("path,label\na,b\n./a,c\n", r"line 3: ./a was listed in line 2 already"),
        ("path,label,start\na,b,1\na,b,1.0\n", "line 3: a was listed in line 2"),
    ],
)
def test_wrong_table_is_told(tmp_path, text, message):
    with pytest.raises(ValueError, match=message) as error:
        list_table(_table(tmp_path, text))
    assert "list.csv" in str(error.value) and "\n" not in str(error.value)


def test_table_that_is_not_text_is_told(tmp_path):
    table = _table(tmp_path, "path,label\na.mp4,é\n", "latin-1")
    with pytest.raises(ValueError, match="list.csv is not text in UTF-8"):
        list_table(table)
    with pytest.raises(FileNotFoundError, match="absent.csv"):
        list_table(tmp_path / "absent.csv")
    with pytest.raises(ValueError, match="absent is not a folder"):
        list_table(table, tmp_path / "absent")


def test_folder_without_videos_is_told(tmp_path):
    with pytest.raises(ValueError, match="absent is not a folder: expected class"):
        list_folder(tmp_path / "absent")
    _touch(tmp_path, "a.mp4", "run/notes.txt")
    with pytest.raises(ValueError, match="has no videos: expected class folders"):
        list_folder(tmp_path)


def test_unreadable_folder_is_told(tmp_path):
    _touch(tmp_path, "run/a.mp4", "walk/a.mp4")
    os.chmod(tmp_path / "run", 0)
    user = os.geteuid()
    if not user:
        # All is readable to root.
        os.seteuid(65534)
    try:
        with pytest.raises(PermissionError, match="Permission denied"):
            list_folder(tmp_path)
    finally:
        os.seteuid(user)
        os.chmod(tmp_path / "run", 0o700)
