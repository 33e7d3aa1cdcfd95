"""Tests of the benchmark of decoding, at toy size."""

import numpy as np
import pytest

from grw_tf.common.paired_timing import Seconds
from scripts import benchmark_decoding

OPTIONS = benchmark_decoding.Options(
    videos=4,
    length=12,
    height=24,
    width=32,
    frames=3,
    size=16,
    stride=2,
    batch_size=2,
    batches=2,
    rounds=2,
)


def test_both_read_the_same_clips(tmp_path):
    read = benchmark_decoding.datasets(OPTIONS, str(tmp_path))
    shapes = [dataset.element_spec[0]["image"].shape for dataset in read.values()]
    assert shapes[0][1:] == shapes[1][1:] == (3, 16, 16, 3)
    brightness = [
        np.mean([features["image"] for features, _ in dataset.take(20)])
        for dataset in read.values()
    ]
    assert brightness[0] == pytest.approx(brightness[1], abs=0.03)


def test_both_are_timed():
    seconds = benchmark_decoding.seconds_a_clip(OPTIONS)
    assert list(seconds) == ["Model Garden", "this project"]
    assert all(each.wall.shape == (2,) for each in seconds.values())
    assert all((each.wall > 0).all() for each in seconds.values())


def test_report_says_clips_and_frames_a_second_and_the_ratio():
    seconds = {
        benchmark_decoding.OFFICIAL: Seconds(np.full(3, 0.2), np.full(3, 0.3)),
        benchmark_decoding.OURS: Seconds(np.full(3, 0.05), np.full(3, 0.1)),
    }
    _, official, ours, _, wall, cpu = benchmark_decoding.report(seconds, 16).split("\n")
    assert official.split()[2:] == ["5.00", "80.0", "300.0"]
    assert ours.split()[2:] == ["20.00", "320.0", "100.0"]
    assert "4.000" in wall and "3.000" in cpu


def test_options_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="videos"):
        benchmark_decoding.seconds_a_clip(benchmark_decoding.Options(videos=0))
