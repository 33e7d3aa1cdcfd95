"""Tests of this project's records as a source of clips."""

import shutil

import pytest
import tensorflow as tf
from changed_records import change, copied

from grw_tf.data.records.record_source import RecordSource, record_name
from grw_tf.data.records.record_stream import Share, in_order


@pytest.mark.parametrize("listed", [True, False], ids=["manifest", "no manifest"])
def test_records_are_counted(colored_records, tmp_path, listed):
    folder = shutil.copytree(colored_records, tmp_path / "records")
    if not listed:
        (folder / "manifest.json").unlink()
    source = RecordSource(f"{folder}/train-*,{folder}/test-*")
    assert sum(file.count for file in source.files) == 24
    records = list(in_order(Share(source.files)).as_numpy_iterator())
    assert len(records) == 24
    splits = {record_name(record).split("/")[0] for record in records}
    assert splits == {"train", "test"}
    assert source.class_names == ("blue", "red")


def test_frames_a_second_become_a_stride(colored_records):
    source = RecordSource(f"{colored_records}/train-*")
    assert source.stride(5.0) == 1
    assert source.stride(2.5) == 2
    with pytest.raises(ValueError, match="no whole multiple of the model's 3"):
        source.stride(3.0)


def test_files_of_different_rates_are_refused(colored_records, tmp_path):
    folder = copied(colored_records, tmp_path / "records")

    def quicken(example):
        example.context.feature["image/frame_rate"].float_list.value[:] = [10.0]

    change(min(folder.glob("train-*")), quicken)
    with pytest.raises(ValueError, match="have different frames a second: make"):
        RecordSource(f"{folder}/train-*").stride(5.0)


def test_decoder_gives_jpegs_and_label(colored_records):
    source = RecordSource(f"{colored_records}/test-*")
    decode = source.decoder("image/encoded", "clip/label/index")
    record = next(iter(in_order(Share(source.files))))
    decoded = decode(record)
    assert decoded["image/encoded"].dtype == tf.string
    assert decoded["image/encoded"].shape == (10,)
    assert decoded["clip/label/index"].numpy()[0] in (0, 1)
