"""From videos to TFRecord shards, in all cores, and safe to kill at any time.

Each video becomes a file of one record in `<output_dir>/unfinished`. When all are
done, how each ended is written down, and the records are joined to shards, in an order
that depends on the names of the videos alone. What is there whole is never made
again; the plan beside it tells whether it belongs to the same settings and videos.
"""

import contextlib
import dataclasses
import hashlib
import json
import logging
import re
from collections.abc import Sequence
from pathlib import Path

import tqdm

from grw_tf.common.checks import check_positive
from grw_tf.common.class_names import sort_class_names
from grw_tf.common.flags import option
from grw_tf.common.json_file import write_json
from grw_tf.common.labels_file import LABELS_FILE, read_labels
from grw_tf.common.process_pool import run_parallel
from grw_tf.common.replacing import replacing
from grw_tf.data.listing.left_out import LeftOut, summarize, write_left_out
from grw_tf.data.listing.split_names import SPLITS
from grw_tf.data.listing.splits import assign_splits
from grw_tf.data.listing.video_list import (
    Video,
    list_table,
    list_unlisted,
    read_folder,
    warn_of_left_out,
)
from grw_tf.data.preparation import manifest
from grw_tf.data.preparation.conversion import (
    Conversion,
    FrameSettings,
    convert,
    converted,
    record_path,
)
from grw_tf.data.preparation.shards import join, plan_shards
from grw_tf.data.preparation.work_folder import work_folder
from grw_tf.data.records.sequence_examples import MANIFEST_FILE

# Settings that change what is written; the manifest records them.
_SETTINGS = (
    *("fps", "short_side", "jpeg_quality", "min_frames"),
    *("validation_fraction", "test_fraction", "clips_per_shard"),
)


@dataclasses.dataclass(frozen=True)
class PreparationConfig:
    """What to convert, and how; each is a flag."""

    input: str = option(
        "", "Folder of class folders of videos, within split folders or not."
    )
    csv: str = option(
        "",
        "Table of videos instead: path (relative to --input, or else to the table),"
        " label, and optionally split, start and end (seconds), group; or Kinetics'"
        " annotations, of the clips in --input.",
    )
    output_dir: str = option("", "Folder that the records go to.")
    labels: str = option(
        "",
        "File of the classes, one a line, in order; empty: those found, sorted,"
        " numbers by value.",
    )
    fps: float = option(5.0, "Frames a second to keep.")
    short_side: int = option(
        224, "Pixels that the short side is reduced to; it is never enlarged."
    )
    jpeg_quality: int = option(90, "Quality of the frames, 1 to 100.")
    min_frames: int = option(2, "Frames that a clip must have.")
    validation_fraction: float = option(
        0.1, "Share of each class to validate on, if the videos have no splits."
    )
    test_fraction: float = option(
        0.1, "Share of each class to test on, if the videos have no splits."
    )
    clips_per_shard: int = option(128, "Clips in a file, at most.")
    workers: int = option(0, "Videos to read at once; 0: one for each core.")
    strict: bool = option(False, "Stop at the first video that cannot be used.")

    @property
    def frames(self) -> FrameSettings:
        """What frames are kept, and how."""
        return FrameSettings(
            self.fps, self.short_side, self.jpeg_quality, self.min_frames
        )


def prepare(config: PreparationConfig) -> dict:
    """Writes shards, labels and a manifest, or what an earlier run left of them.

    The files of the input folder that are not taken are listed in `left_out.csv`.

    Args:
        config: What to convert, and how.

    Returns:
        The content of the manifest: the settings, what `manifest.describe` says, and
        `left_out`, as `summarize` describes it, as the input folder is now.

    Raises:
        ValueError: If a setting or the list of videos makes no sense, if the folder
            holds records of others, or, when strict, if a video cannot be used.
        OSError: If a folder cannot be read, or the output not be written.
    """
    check_settings(config)
    if not config.output_dir:
        raise ValueError("output_dir is empty: give the folder for the records.")
    listed, left_out = _listed_and_left_out(config)
    videos = _in_order(listed, config)
    labels = class_names(videos, config)
    _check_none_lost(left_out, config)
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


def check_settings(config: PreparationConfig) -> None:
    """Raises a `ValueError` that names the first setting out of its range."""
    check_positive(
        fps=config.fps,
        short_side=config.short_side,
        min_frames=config.min_frames,
        clips_per_shard=config.clips_per_shard,
    )
    if not 1 <= config.jpeg_quality <= 100:
        raise ValueError(f"jpeg_quality is {config.jpeg_quality}: it must be 1 to 100.")
    if config.workers < 0:
        raise ValueError(f"workers is {config.workers}: it must be 0 or more.")


def list_videos(config: PreparationConfig) -> list[Video]:
    """Lists all videos with splits, in the order of the records.

    It is a random order, since readers shuffle no more than some records at a time.

    Raises:
        ValueError: If the list of videos or the splits make no sense.
        OSError: If a folder or the table cannot be read.
    """
    return _in_order(_listed(config), config)


def _listed(config) -> list[Video]:
    """Lists all videos, and warns of the files left out."""
    videos, left_out = _listed_and_left_out(config)
    warn_of_left_out(config.input, left_out)
    return videos


def _listed_and_left_out(config) -> tuple[list[Video], list[LeftOut]]:
    if config.csv:
        videos = list_table(config.csv, config.input or None)
        # Without --input, the table's folder may hold anything.
        return videos, list_unlisted(config.input, videos) if config.input else []
    _check_input(config)
    listing = read_folder(config.input)
    return listing.videos, listing.left_out


def _check_input(config):
    if not config.input:
        raise ValueError("Give --input, a folder of class folders, or --csv, a table.")


def _check_none_lost(left_out: Sequence[LeftOut], config):
    lost = [file for file in left_out if file.is_fault]
    if config.strict and lost:
        raise ValueError(
            f"{config.input} holds {len(lost)} files that are left out, as"
            f" {lost[0].name}, a {lost[0].kind}: move them, or leave out --strict."
        )


def _in_order(listed: Sequence[Video], config) -> list[Video]:
    videos = assign_splits(listed, config.validation_fraction, config.test_fraction)
    for split in sorted({video.split for video in videos} - set(SPLITS)):
        count = sum(video.split == split for video in videos)
        if not re.fullmatch(r"\w[\w.-]*", split):
            raise ValueError(f"The split {split!r} cannot name a file: rename it.")
        logging.warning("Besides the usual splits, %r has %d videos.", split, count)
    return sorted(videos, key=lambda video: (video.split, video_key(video)))


def class_names(videos: Sequence[Video], config: PreparationConfig) -> tuple[str, ...]:
    """Returns the names of the classes, given or found, in the order of their indices.

    Raises:
        ValueError: If a name cannot be a line of text, or is not among those given.
        OSError: If the file of those given cannot be read.
    """
    found = {video.label: video.name for video in videos}
    for label, name in found.items():
        if label.splitlines() != [label] or label != label.strip():
            raise ValueError(
                f"The class {label!r}, of {name!r}, cannot be a line of {LABELS_FILE}:"
                " rename it, without line breaks and spaces around."
            )
        try:
            label.encode()
        except UnicodeEncodeError:
            raise ValueError(
                f"The class of {name!r} is not text in UTF-8: rename it."
            ) from None
    labels = read_labels(config.labels) if config.labels else sort_class_names(found)
    unknown = sorted(set(found) - set(labels))
    if unknown:
        raise ValueError(
            f"{config.labels} lacks {len(unknown)} of the classes found: {unknown[:5]}."
        )
    if len(found) == 1:
        logging.warning("All videos are of one class, %r.", *found)
    first = labels[0]
    if not config.labels and first.isdecimal() and labels != _counted(labels):
        logging.warning(
            "The classes are not called 0 to %d: label 0 is the class %r, and so on in"
            " the order of %s.",
            len(labels) - 1,
            first,
            LABELS_FILE,
        )
    return labels


def _counted(labels):
    return tuple(map(str, range(len(labels))))


def video_key(video: Video) -> str:
    """Returns what tells a video, or a segment, from the others: a digest in ASCII."""
    return _digest(_identity(video))


def _identity(video: Video) -> list:
    return [video.name, video.label, video.split, video.start, video.end]


def _digest(content) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _plan(videos, labels, config) -> dict:
    """Returns what tells a run from others, whatever its time and workers."""
    sizes = [v.path.stat().st_size if v.path.exists() else None for v in videos]
    return {
        "settings": {name: getattr(config, name) for name in _SETTINGS},
        "videos": len(videos),
        "videos_sha256": _digest([labels, sizes, *map(_identity, videos)]),
    }


def _convert(videos, labels, config, work) -> list[int | str]:
    """Returns the frames of each video, or why it is left out."""
    ended = work / "outcomes.json"
    if ended.exists():
        return json.loads(ended.read_text())
    folder = work / "clips"
    folder.mkdir(exist_ok=True)
    outcomes = dict(converted(folder))
    indices = {label: index for index, label in enumerate(labels)}
    left = [
        Conversion(video, indices[video.label], position, folder, config.frames)
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
    outcomes = [outcomes[position] for position in range(len(videos))]
    write_json(ended, outcomes)
    return outcomes


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
    by_split = {}
    for shard in shards:
        by_split.setdefault(shard.split, []).append(described[shard.path])
    return by_split
