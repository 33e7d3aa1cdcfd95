"""Converts videos to TFRecord shards on all cores. Killing it at any time is safe.

Each video becomes a file of one record in `<output_dir>/unfinished`. When all videos
are done, their outcomes are written down and the records are joined into shards, in an
order that depends on the names of the videos alone. Files that are complete are never
made again. A plan beside them records the settings and videos that they belong to.
"""

import contextlib
import json
from pathlib import Path

import tqdm

from grw_tf.common.json_file import write_json
from grw_tf.common.labels_file import LABELS_FILE
from grw_tf.common.process_pool import run_parallel
from grw_tf.common.replacing import replacing
from grw_tf.data.listing.left_out import summarize, write_left_out
from grw_tf.data.preparation import manifest
from grw_tf.data.preparation.chosen_videos import (
    choose_videos,
    class_names,
    digest,
    identify,
    refuse_left_out,
)
from grw_tf.data.preparation.config import PreparationConfig
from grw_tf.data.preparation.conversion import (
    Conversion,
    convert,
    converted,
    record_path,
)
from grw_tf.data.preparation.shards import join, plan_shards
from grw_tf.data.preparation.work_folder import work_folder
from grw_tf.data.records.sequence_examples import MANIFEST_FILE

# Settings that change the records. The manifest holds them.
_SETTINGS = (
    *("fps", "short_side", "jpeg_quality", "min_frames"),
    *("validation_fraction", "test_fraction", "clips_per_shard"),
)
# Those that the manifest holds if they are set: it is older than they.
_LATER_SETTINGS = ("label_separator", "negative_label", "background_ratio")


def prepare(config: PreparationConfig) -> dict:
    """Writes shards, labels and a manifest, or the part that an earlier run has left.

    Files of the input folder that are not used are listed in `left_out.csv`.

    Returns:
        The content of the manifest: the settings, the result of `manifest.describe`,
        and `left_out`, the summary by `summarize` of the input folder as it is now.

    Raises:
        ValueError: If the list of videos is invalid, if the folder holds other
            records, or, with `strict`, if a video cannot be used.
        OSError: If a folder cannot be read or the output cannot be written.
    """
    if not config.output_dir:
        raise ValueError("output_dir is empty: give the folder for the records.")
    videos, left_out = choose_videos(config)
    labels = class_names(videos, config)
    if config.strict:
        refuse_left_out(left_out, config.input)
    plan = _plan(videos, labels, config)
    output = Path(config.output_dir)
    finished = output / MANIFEST_FILE
    with work_folder(output, plan) as work:
        write_left_out(output, left_out)
        if not finished.exists():
            outcomes = _convert(videos, labels, config, work)
            shards = _join(videos, outcomes, config, work)
            with replacing(output / LABELS_FILE) as path:
                path.write_text("".join(f"{label}\n" for label in labels), "utf-8")
            described = manifest.describe(videos, labels, outcomes, shards)
            content = plan | described | {"left_out": summarize(left_out)}
            write_json(finished, content)
        return json.loads(finished.read_text()) | {"left_out": summarize(left_out)}


def _plan(videos, labels, config) -> dict:
    """Returns what distinguishes a run from others, whatever its workers."""
    sizes = [v.path.stat().st_size if v.path.exists() else None for v in videos]
    later = {name: getattr(config, name) for name in _LATER_SETTINGS}
    return {
        "settings": {
            **{name: getattr(config, name) for name in _SETTINGS},
            **{name: value for name, value in later.items() if value},
        },
        "videos": len(videos),
        "videos_sha256": digest([labels, sizes, *map(identify, videos)]),
    }


def _convert(videos, labels, config, work) -> list[int | str]:
    """Returns for each video its number of frames, or why it is left out."""
    ended = work / "outcomes.json"
    if ended.exists():
        return json.loads(ended.read_text())
    folder = work / "clips"
    folder.mkdir(exist_ok=True)
    outcomes: dict[int, int | str] = dict(converted(folder))
    indices = {label: index for index, label in enumerate(labels)}
    left = [
        Conversion(
            video,
            tuple(indices[label] for label in video.labels),
            position,
            folder,
            config,
        )
        for position, video in enumerate(videos)
        if position not in outcomes
    ]
    results = run_parallel(convert, left, config.workers)
    with (
        contextlib.closing(results),
        tqdm.tqdm(
            desc="Converting", total=len(videos), initial=len(outcomes), unit="clip"
        ) as bar,
    ):
        for conversion, outcome in results:
            if config.strict and isinstance(outcome, str):
                raise ValueError(f"{conversion.video.path} {outcome}")
            outcomes[conversion.position] = outcome
            bar.update()
    in_order = [outcomes[position] for position in range(len(videos))]
    write_json(ended, in_order)
    return in_order


def _join(videos, outcomes, config, work) -> dict[str, list[dict]]:
    """Returns descriptions of the shards of each split that has any."""
    folder = work / "clips"
    shards = []
    for split in dict.fromkeys(video.split for video in videos):
        records = [
            record_path(folder, position, frames)
            for position, (video, frames) in enumerate(
                zip(videos, outcomes, strict=True)
            )
            if video.split == split and isinstance(frames, int)
        ]
        shards += plan_shards(
            Path(config.output_dir), split, records, config.clips_per_shard
        )
    results = run_parallel(join, shards, config.workers)
    with contextlib.closing(results):
        progress = tqdm.tqdm(results, "Joining", len(shards), unit="shard")
        described = {shard.path: description for shard, description in progress}
    by_split: dict[str, list[dict]] = {}
    for shard in shards:
        by_split.setdefault(shard.split, []).append(described[shard.path])
    return by_split
