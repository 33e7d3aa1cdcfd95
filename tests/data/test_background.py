"""Behavior of sampling background from the unlabeled parts of videos."""

import collections
import itertools
import json

import pytest
import tensorflow as tf
from drawn_videos import greys, write_video

from grw_tf.common.labels_file import read_labels
from grw_tf.data.listing.background_videos import refuse_labeled_names
from grw_tf.data.listing.video_list import list_table
from grw_tf.data.preparation.background import sample_background
from grw_tf.data.preparation.chosen_videos import choose_videos, class_names
from grw_tf.data.preparation.config import PreparationConfig
from grw_tf.data.preparation.prepare import prepare
from grw_tf.data.videos.duration import video_seconds

# Label, start and end of segments, of videos of 10 s.
SEGMENTS = {
    "a.mp4": [("run", 1, 2), ("jump", 4, 5), ("run", 5, 6)],
    "b.mp4": [("run", 0, 2), ("jump", 3, 4.2), ("run", 8, "")],
    "c.mp4": [("jump", 2, 3)],
}


def _table(folder, segments=SEGMENTS, split="train"):
    rows = ["path,label,start,end,split"]
    for name, of_video in segments.items():
        rows += [f"{name},{label},{s},{e},{split}" for label, s, e in of_video]
    path = folder / "table.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("untrimmed")
    for name in SEGMENTS:
        write_video(root / name, [(i, i, i) for i in range(100)], rate=10)
    return root


def _spans(videos):
    by_name = collections.defaultdict(list)
    for video in videos:
        by_name[video.name].append((video.start, video.end))
    return {name: sorted(spans) for name, spans in by_name.items()}


def test_duration_is_from_the_first_frame_to_the_end_of_the_last(folder, tmp_path):
    assert video_seconds(folder / "a.mp4") == pytest.approx(10, abs=0.01)
    late = write_video(tmp_path / "late.mkv", greys(4), pts=[20, 25, 30, 35], rate=10)
    assert video_seconds(late) == pytest.approx(1.6, abs=0.11)


def test_background_lies_outside_all_segments_and_within_the_video(folder):
    videos = list_table(_table(folder))
    found = sample_background(videos, 100.0)
    # The median segment is of 1 s. Before, between and after the segments, a has room
    # for 1 + 2 + 4 of it, b for 1 + 3, c for 2 + 7.
    assert {name: len(spans) for name, spans in _spans(found).items()} == {
        "a.mp4": 7,
        "b.mp4": 4,
        "c.mp4": 9,
    }
    for name, spans in _spans(found).items():
        taken = [(s, e or 10) for _, s, e in SEGMENTS[name]] + spans
        taken.sort()
        for (_, end), (start, _) in itertools.pairwise(taken):
            assert end <= start + 1e-3, name
        assert taken[0][0] >= 0 and taken[-1][1] <= 10.01
    assert {(v.label, v.split) for v in found} == {("background", "train")}
    assert all(v.end - v.start == pytest.approx(1, abs=2e-3) for v in found)


def test_sources_of_records_are_no_background(tmp_path):
    paths = [tmp_path / "street" / "1.mp4", tmp_path / "x.mp4"]
    refuse_labeled_names(paths, ["run/1.mp4", "reet/1.mp4", "y.mp4"])
    for name in ("street/1.mp4", "x.mp4", "street\\1.mp4"):
        with pytest.raises(ValueError, match="has the name of a clip of the classes"):
            refuse_labeled_names(paths, ["other.mp4", name])


def test_count_is_the_share_asked_for_and_spread_over_videos(folder):
    videos = list_table(_table(folder))
    for ratio, count in ((0.01, 1), (0.45, 3), (1.0, 7)):
        found = sample_background(videos, ratio)
        assert len(found) == count
        counts = [len(spans) for spans in _spans(found).values()]
        assert len(counts) == min(count, 3) and max(counts) - min(counts) <= 1
    # More of it keeps what there was.
    assert set(sample_background(videos, 0.45)) < set(sample_background(videos, 1.0))


def test_order_of_the_table_changes_nothing(folder):
    videos = list_table(_table(folder))
    found = sample_background(videos, 1.0)
    assert sample_background(videos[::-1], 1.0) == found


def test_lack_of_room_is_told(folder, caplog):
    videos = list_table(_table(folder))
    assert len(sample_background(videos, 5.0)) == 20
    assert "The split train gets 20 background clips of 1 s, not 35" in caplog.text


def test_what_has_no_background_is_refused(folder, tmp_path):
    whole = list_table(_table(folder, {"a.mp4": [("run", "", "")]}))
    with pytest.raises(ValueError, match="all videos are labeled as a whole"):
        sample_background(whole, 1.0)
    named = list_table(_table(folder, {"a.mp4": [("background", 1, 2)]}))
    with pytest.raises(ValueError, match="The class 'background' is listed, as of a"):
        sample_background(named, 1.0)
    full = list_table(_table(folder, {"a.mp4": [("run", 1, "")]}))
    with pytest.raises(ValueError, match="no video has 9 s, the median length"):
        sample_background(full, 1.0)
    with pytest.raises(ValueError, match="background_ratio is -1: it must"):
        PreparationConfig(background_ratio=-1.0)


def test_unreadable_and_divided_videos_give_none(folder, tmp_path, caplog):
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    for name in ("a.mp4", "c.mp4"):
        (tmp_path / name).symlink_to(folder / name)
    rows = ["path,label,start,end,split", "bad.mp4,run,1,2,train"]
    rows += ["a.mp4,run,1,2,train", "a.mp4,run,5,6,test", "c.mp4,run,1,2,train"]
    (tmp_path / "table.csv").write_text("\n".join(rows) + "\n")
    found = sample_background(list_table(tmp_path / "table.csv"), 1.0)
    assert {video.name for video in found} == {"c.mp4"}
    assert "No background is taken from 1 videos with segments" in caplog.text
    assert f"No background is taken from {tmp_path / 'bad.mp4'}" in caplog.text


def test_background_is_the_last_class_and_in_the_splits_of_its_videos(tmp_path):
    segments = {}
    for index in range(12):
        name = f"{index}.mp4"
        write_video(tmp_path / name, greys(12) * 5, rate=10)
        segments[name] = [("2", 1, 2), ("10", 3, 4)]
    table = _table(tmp_path, segments, split="")
    config = PreparationConfig(csv=str(table), background_ratio=0.5)
    videos, _ = choose_videos(config)
    assert class_names(videos, config) == ("2", "10", "background")
    of_split = collections.defaultdict(set)
    for video in videos:
        of_split[video.name].add(video.split)
    assert all(len(splits) == 1 for splits in of_split.values())
    counts = collections.Counter((v.split, v.label) for v in videos)
    for split in ("train", "validation", "test"):
        assert counts[split, "background"] == counts[split, "2"] > 0


def test_records_hold_the_background(folder, tmp_path):
    settings = {
        "csv": str(_table(folder)),
        "output_dir": str(tmp_path / "records"),
        "fps": 5.0,
        "workers": 1,
    }
    manifest = prepare(PreparationConfig(**settings, background_ratio=0.5))
    assert read_labels(tmp_path / "records" / "labels.txt") == (
        "jump",
        "run",
        "background",
    )
    counts = manifest["splits"]["train"]["classes"]
    assert counts == {"jump": 3, "run": 4, "background": 4}
    assert manifest["settings"]["background_ratio"] == 0.5
    assert not manifest["failures"]
    paths = sorted(map(str, (tmp_path / "records").glob("*.tfrecord")))
    labels = collections.Counter(
        tf.train.SequenceExample.FromString(record)
        .context.feature["clip/label/text"]
        .bytes_list.value[0]
        .decode()
        for record in tf.data.TFRecordDataset(paths).as_numpy_iterator()
    )
    assert labels == counts
    # Another share is another set.
    with pytest.raises(ValueError, match="was begun with background_ratio 0.5"):
        prepare(PreparationConfig(**settings, background_ratio=0.7))
    with pytest.raises(ValueError, match="was begun with"):
        prepare(PreparationConfig(**settings))
    # Without it, the manifest is that of before.
    plain = prepare(PreparationConfig(**settings | {"output_dir": str(tmp_path / "p")}))
    assert "background_ratio" not in json.loads(json.dumps(plain["settings"]))
