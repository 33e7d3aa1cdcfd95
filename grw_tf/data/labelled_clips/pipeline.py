"""Converts videos with Beam transforms. Only this module uses Beam.

Workers run functions of modules, so they need only this package and the videos under
the same paths.
"""

import json
import logging
import os
from collections.abc import Sequence

import apache_beam as beam
import tensorflow_datasets as tfds
from etils import epath

from grw_tf.data.listing.video_list import Video
from grw_tf.data.preparation import manifest
from grw_tf.data.preparation.chosen_videos import list_videos, video_key
from grw_tf.data.preparation.config import PreparationConfig
from grw_tf.data.preparation.conversion import read_clip

# No split has this name, since it has a space.
_LEFT_OUT = "left out"
_COUNTERS = "labelled_clips"


def clips_by_split(
    pipeline: beam.Pipeline,
    config: PreparationConfig,
    splits: Sequence[str],
    failures_file: str | os.PathLike,
) -> dict[str, beam.PCollection]:
    """Adds the reading of all videos to a pipeline.

    The JSON file for the videos left out must be in reach of all workers.

    Returns:
        By split, keys and examples for TFDS.
    """
    outcomes = (
        pipeline
        | "Config" >> beam.Create([config])
        # A worker lists the videos again: the full list would make the graph too large.
        | "ListVideos" >> beam.FlatMap(list_videos)
        | "Spread" >> beam.Reshuffle()
        | "ReadClips" >> beam.ParDo(_read, config).with_outputs(_LEFT_OUT, *splits)
    )
    _ = (
        outcomes[_LEFT_OUT]
        | "GatherLeftOut" >> beam.combiners.ToList()
        | "WriteLeftOut" >> beam.Map(_write_failures, os.fspath(failures_file))
    )
    return {split: outcomes[split] for split in splits}


def _read(video: Video, config: PreparationConfig):
    clip = read_clip(video, config)
    if isinstance(clip, str):
        if config.strict:
            raise ValueError(f"{video.path} {clip}")
        logging.warning("%s is left out: %s", video.name, clip)
        tfds.beam.inc_counter("videos_left_out", namespace=_COUNTERS)
        (failure,) = manifest.describe([video], (), [clip], {})["failures"]
        # In ASCII, since Beam cannot encode all file names.
        yield beam.pvalue.TaggedOutput(_LEFT_OUT, json.dumps(failure))
        return
    tfds.beam.inc_counter("clips", namespace=_COUNTERS)
    tfds.beam.inc_counter("frames", len(clip.frames), namespace=_COUNTERS)
    example = {
        "video": clip.frames,
        "label": list(video.labels) if config.lists_labels else video.label,
        "fps": config.fps,
        "source": video.name.encode(errors="surrogateescape"),
    }
    yield beam.pvalue.TaggedOutput(video.split, (video_key(video), example))


def _write_failures(failures: list[str], path: str) -> None:
    listed = sorted(map(json.loads, failures), key=lambda failure: failure["path"])
    epath.Path(path).write_text(json.dumps(listed, indent=2) + "\n")
