"""Behavior of records: the Model Garden reads them, and wrong ones are told."""

import cv2
import numpy as np
import pytest
import tensorflow as tf
from official.vision.configs import video_classification
from official.vision.dataloaders import video_input

from grw_tf.common.labels_file import read_labels
from grw_tf.data.preparation.jpeg_clips import JpegClip
from grw_tf.data.records.sequence_examples import (
    check_records,
    sequence_example,
    write_record,
)


@pytest.fixture(scope="module")
def clip():
    """Six frames of 48 x 64 pixels, each brighter than the last."""
    frames = [np.full((48, 64, 3), 40 * level, np.uint8) for level in range(6)]
    jpegs = [cv2.imencode(".jpg", frame)[1].tobytes() for frame in frames]
    return JpegClip(jpegs, 48, 64)


@pytest.fixture
def shard(tmp_path, clip):
    (tmp_path / "labels.txt").write_text("jump\nrun, fast\nwalk\n")
    path = tmp_path / "train-00000-of-00001.tfrecord"
    write_record(path, sequence_example(clip, 1, "run, fast", 5.0, "run/ä.mp4"))
    return path


def _rewrite(path, change):
    """Changes the record of a file."""
    (record,) = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    example = tf.train.SequenceExample.FromString(record)
    change(example)
    write_record(path, example)


def test_model_garden_reads_label_and_frames(shard):
    config = video_classification.DataConfig(
        feature_shape=(4, 32, 32, 3), num_classes=3, min_image_size=32
    )
    (record,) = tf.data.TFRecordDataset(str(shard))
    decoded = video_input.Decoder().decode(record)
    assert decoded["clip/label/index"].numpy().tolist() == [1]
    assert decoded["image/encoded"].shape == (6,)
    parser = video_input.Parser(config)
    features, label = parser.parse_fn(is_training=False)(decoded)
    assert label.numpy().tolist() == [0, 1, 0]
    assert features["image"].shape == (4, 32, 32, 3)
    levels = features["image"].numpy().mean(axis=(1, 2, 3)) * 255 / 40
    np.testing.assert_allclose(levels, [1, 2, 3, 4], atol=0.05)
    features, _ = parser.parse_fn(is_training=True)(decoded)
    assert features["image"].shape == (4, 32, 32, 3)


def test_record_says_what_the_clip_is(shard):
    (record,) = tf.data.TFRecordDataset(str(shard)).as_numpy_iterator()
    feature = tf.train.SequenceExample.FromString(record).context.feature
    integers = {k: list(v.int64_list.value) for k, v in feature.items()}
    texts = {k: [t.decode() for t in v.bytes_list.value] for k, v in feature.items()}
    assert integers["image/height"] == [48] and integers["image/width"] == [64]
    assert integers["clip/num_frames"] == [6]
    assert texts["clip/label/text"] == ["run, fast"]
    assert texts["clip/data_path"] == ["run/ä.mp4"]
    assert texts["image/format"] == ["JPEG"]
    assert feature["image/frame_rate"].float_list.value == [5.0]


def test_same_clip_gives_the_same_bytes(tmp_path, clip):
    paths = [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        write_record(path, sequence_example(clip, 0, "a", 5.0, "a.mp4"))
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_good_records_are_listed(shard):
    folder = shard.parent
    assert check_records(f"{folder}/train-*") == [str(shard)]
    assert check_records(f"{shard},{folder}/*.tfrecord") == [str(shard)]


def test_records_that_are_not_there_are_told(shard):
    with pytest.raises(ValueError, match="No file matches .*/test-*"):
        check_records(f"{shard.parent}/test-*")
    shard.rename(shard.with_name("train-00001-of-00003.tfrecord"))
    with pytest.raises(
        ValueError, match="train-00000-of-00003.tfrecord, .* is missing"
    ):
        check_records(f"{shard.parent}/train-*")


def test_truncated_records_are_told(shard):
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-100])
    with pytest.raises(ValueError, match="is truncated in its first record"):
        check_records(str(shard))
    shard.write_bytes(b"")
    with pytest.raises(ValueError, match="holds no record"):
        check_records(str(shard))
    listed = f'{{"file": "{shard.name}", "bytes": {2 * len(whole)}}}'
    manifest = f'{{"splits": {{"train": {{"shards": [{listed}]}}}}}}'
    (shard.parent / "manifest.json").write_text(manifest)
    shard.write_bytes(whole)
    with pytest.raises(ValueError, match="manifest.json says .* it is truncated"):
        check_records(str(shard))


def test_foreign_records_are_told(shard):
    shard.write_bytes(b"a text, and not so short that it could pass for less")
    with pytest.raises(ValueError, match="or not a plain TFRecord file"):
        check_records(str(shard))
    with tf.io.TFRecordWriter(str(shard)) as writer:
        writer.write(b"hello there")
    with pytest.raises(ValueError, match="holds other records than SequenceExam"):
        check_records(str(shard))
    image = tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"jpeg"]))
    example = tf.train.Example(
        features=tf.train.Features(feature={"image/encoded": image})
    )
    with tf.io.TFRecordWriter(str(shard)) as writer:
        writer.write(example.SerializeToString())
    with pytest.raises(ValueError, match=r"the context \['image/encoded'\] and the"):
        check_records(str(shard))


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda e: e.context.feature.pop("clip/label/index"), "one clip/label/index"),
        (lambda e: e.feature_lists.feature_list.clear(), r"the lists \[\]"),
        (
            lambda e: e.feature_lists.feature_list["image/encoded"].Clear(),
            "expected one clip/label/index in the context and the frames",
        ),
        (
            lambda e: e.context.feature["clip/label/index"].int64_list.value.append(2),
            "expected one clip/label/index",
        ),
    ],
)
def test_records_that_lack_something_are_told(shard, change, message):
    _rewrite(shard, change)
    with pytest.raises(ValueError, match=message) as error:
        check_records(str(shard))
    assert shard.name in str(error.value) and "\n" not in str(error.value)


def test_labels_of_other_records_are_told(shard):
    labels = shard.parent / "labels.txt"
    labels.write_text("jump\n")
    with pytest.raises(ValueError, match="a clip of class 1, and labels.txt .* has 1"):
        check_records(str(shard))
    labels.write_text("jump\nwalk\n")
    with pytest.raises(ValueError, match="of 'run, fast' as class 1, which is 'walk'"):
        check_records(str(shard))
    labels.unlink()
    with pytest.raises(OSError, match="labels.txt cannot be read"):
        check_records(str(shard))


def test_labels_are_composed_and_keep_their_order(tmp_path, clip):
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    labels = tmp_path / "labels.txt"
    labels.write_text(f"10\n9\n{decomposed}\n")
    assert read_labels(labels) == ("10", "9", composed)
    path = tmp_path / "train-00000-of-00001.tfrecord"
    for text in (composed, decomposed):
        write_record(path, sequence_example(clip, 2, text, 5.0, "a.mp4"))
        assert check_records(str(path)) == [str(path)]
    # Records that were made with the two for two classes stay as they are.
    labels.write_text(f"10\n{composed}\n{decomposed}\n")
    assert read_labels(labels) == ("10", composed, decomposed)
    assert check_records(str(path)) == [str(path)]


def test_labels_are_read(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_bytes("\ufeffjump, high\r\n走る\nperson's \u2028head".encode())
    assert read_labels(path) == ("jump, high", "走る", "person's \u2028head")


@pytest.mark.parametrize(
    "content, message",
    [
        (b"a\n\nb\n", "line 2 is empty: expected a class name"),
        (b"", "line 1 is empty"),
        (b"a\nb\na\n", "line 3: the class 'a' is in line 1 already"),
        (b"\xff\xfe\n", "is not text in UTF-8"),
    ],
)
def test_wrong_labels_are_told(tmp_path, content, message):
    (tmp_path / "labels.txt").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_labels(tmp_path / "labels.txt")


def test_record_that_cannot_be_written_is_told(tmp_path, clip):
    with pytest.raises(OSError, match="absent/a.tfrecord cannot be written: "):
        example = sequence_example(clip, 0, "a", 5.0, "a.mp4")
        write_record(tmp_path / "absent" / "a.tfrecord", example)
