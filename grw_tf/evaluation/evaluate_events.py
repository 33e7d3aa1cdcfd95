"""Evaluates the events of an exported file against a table of true segments."""

import dataclasses
import math
from pathlib import Path

import tqdm

from grw_tf.common.class_names import BACKGROUND
from grw_tf.common.csv_file import write_csv
from grw_tf.common.first_few import first_few
from grw_tf.common.flags import option
from grw_tf.common.json_file import write_json
from grw_tf.common.output_folder import check_writable
from grw_tf.data.listing.background_videos import list_background, refuse_labeled
from grw_tf.data.listing.listed_paths import identity
from grw_tf.data.listing.video_list import Video, list_table
from grw_tf.evaluation.event_measures import Segment, match, measure_events
from grw_tf.evaluation.file_scores import FileScorer
from grw_tf.streaming.event_options import EventOptions
from grw_tf.streaming.exported_file import read_stream_or_clip_file

EVENTS_FILE = "events.csv"
RESULTS_FILE = "results.json"


@dataclasses.dataclass(frozen=True)
class EventEvaluationConfig(EventOptions):
    """What to evaluate, and on what; each field is a flag.

    Raises:
        ValueError: At construction, for invalid values.
    """

    model: str = option("", "Exported .tflite file.")
    csv: str = option(
        "",
        "Table of true segments: path, label, start, end (seconds), and optionally"
        " split. All events of a video must be listed; one without any has a line of"
        " label background.",
    )
    input: str = option(
        "", "Folder that paths are relative to; by default that of the table."
    )
    background: str = option(
        "", "Folder of more videos, which show none of the classes."
    )
    split: str = option("", "Split of the table to evaluate on; empty for all.")
    min_iou: float = option(
        0.5,
        "Least overlap of an event and its segment: intersection over union, in time.",
    )
    output_dir: str = option("", "Folder for results and events.")
    num_threads: int = option(1, "Number of threads.")

    def __post_init__(self) -> None:
        if not 0 < self.min_iou <= 1:
            raise ValueError(
                f"min_iou is {self.min_iou:g}: it must be above 0 and at most 1."
            )


def evaluate_events(config: EventEvaluationConfig) -> str:
    """Finds the events of all videos, compares them, and writes events and results.

    Returns:
        A table for people.

    Raises:
        ValueError: If the file has no threshold, or the table does not fit it.
        OSError: If a file cannot be read or written.
    """
    folder = Path(config.output_dir)
    check_writable(folder)
    exported = read_stream_or_clip_file(config.model)
    rules = config.rules_of_file(exported)
    if rules is None:
        raise ValueError(
            f"{exported.path} has no calibrated threshold: calibrate it with"
            " grw-calibrate, or give --on_threshold."
        )
    videos = _videos(config, exported.labels)
    found, true, seconds, rows = [], [], 0.0, []
    with FileScorer(config.model, config.num_threads, config.memory_frames) as scorer:
        for path, (name, segments) in tqdm.tqdm(videos.items(), "Events", unit="video"):
            scores = scorer.video(path)
            events = scores.events(exported.labels, scorer.event_scores, rules)
            segments = _clipped(name, segments, scores.seconds)
            matched = match(events, segments, config.min_iou)
            found.append(events)
            true.append(segments)
            seconds += scores.seconds
            rows += [
                (name, *event.to_dict().values(), int(index is not None))
                for event, index in zip(events, matched, strict=True)
            ]
    measures = measure_events(found, true, seconds, config.min_iou)
    folder.mkdir(parents=True, exist_ok=True)
    header = ("path", "start", "end", "class", "score", "right")
    write_csv(folder / EVENTS_FILE, header, rows)
    settings = dataclasses.asdict(config) | dataclasses.asdict(rules)
    del settings["output_dir"]
    content = {"settings": settings, "videos": len(videos)} | measures.to_dict()
    write_json(folder / RESULTS_FILE, content)
    return measures.table()


def _videos(config, labels) -> dict[Path, tuple[str, list[Segment]]]:
    """Returns the name and the true segments of each video."""
    listed = list_table(config.csv, config.input or None)
    if config.split:
        there = sorted({video.split for video in listed})
        listed = [video for video in listed if video.split == config.split]
        if not listed:
            raise ValueError(
                f"{config.csv} has no videos of split {config.split!r}: it has"
                f" {first_few([repr(split) for split in there], 5)}."
            )
    unknown = sorted({video.label for video in listed} - {*labels, BACKGROUND})
    if unknown:
        raise ValueError(
            f"{config.csv} has the classes {first_few(unknown, 5)}, and {config.model}"
            f" has no such class; it has {first_few(labels, 5)}."
        )
    by_path: dict[str, tuple[Video, list[Segment]]] = {}
    for video in listed:
        _, segments = by_path.setdefault(identity(video.path), (video, []))
        if video.label != BACKGROUND:
            end = math.inf if video.end is None else video.end
            segments.append(Segment(video.start, end, video.label))
    videos = {first.path: (first.name, of) for first, of in by_path.values()}
    if config.background:
        others = list_background(config.background)
        refuse_labeled(others, videos)
        videos |= {path: (str(path), []) for path in others}
    return videos


def _clipped(name, segments, seconds):
    """Returns segments that end no later than their video."""
    late = next((segment for segment in segments if segment.start >= seconds), None)
    if late is not None:
        raise ValueError(
            f"{name} lasts {seconds:.3g} s, and the table has a segment from"
            f" {late.start:g} s on: correct one of them."
        )
    return [dataclasses.replace(s, end=min(s.end, seconds)) for s in segments]
