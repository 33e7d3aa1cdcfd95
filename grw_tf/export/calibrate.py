"""Calibrates an exported file, so that it can answer "none of these"."""

import contextlib
import dataclasses
import json
import logging
import math
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import tqdm

from grw_tf.common.checks import check_positive
from grw_tf.common.first_few import first_few
from grw_tf.common.flags import option
from grw_tf.common.text_table import text_table
from grw_tf.data.listing.background_videos import (
    list_background,
    refuse_labeled,
    refuse_labeled_names,
)
from grw_tf.data.listing.video_list import Video, list_folder
from grw_tf.data.records.evaluation_records import EvaluationRecords
from grw_tf.data.videos.clips import read_clip
from grw_tf.data.videos.faults import fault_of
from grw_tf.evaluation.calibration import (
    answers,
    false_alarms_an_hour,
    fit_temperature,
    hours,
    threshold_of_false_alarms,
    threshold_of_precision,
)
from grw_tf.evaluation.file_scores import FileScorer, VideoScores
from grw_tf.evaluation.measures import measure
from grw_tf.export.bundle import add_to_manifest
from grw_tf.models.config import ModelConfig
from grw_tf.streaming.event_options import check_memory
from grw_tf.streaming.events import LEAST_SECONDS, MERGE_GAP, OFF_SHARE, EventRules
from grw_tf.streaming.exported_file import read_stream_or_clip_file
from grw_tf.streaming.none_of_these import (
    MANIFEST_KEY,
    NoneOfThese,
    manifest_entry,
    refuse_several_labels,
)


@dataclasses.dataclass(frozen=True)
class CalibrationConfig:
    """What to calibrate, on what, and to what end; each field is a flag.

    Raises:
        ValueError: At construction, for invalid values.
    """

    model: str = option("", "Exported .tflite file.")
    clips: str = option(
        "",
        "Validation clips, which training has not seen: records, or a folder of class"
        " folders of videos (of its validation split, if it has splits).",
    )
    background: str = option(
        "", "Folder of videos that show none of the classes, the longer the better."
    )
    target_precision: float | None = option(
        None,
        "Choose the lowest threshold above which this share of the answers is right.",
    )
    false_alarms_per_hour: float | None = option(
        None,
        "Choose instead the lowest threshold with at most so many events in an hour of"
        " --background.",
    )
    output: str = option(
        "", "The .tflite file to write; by default --model is replaced."
    )
    off_share: float = option(
        OFF_SHARE, "Threshold below which an event ends, as a share of the threshold."
    )
    least_seconds: float = option(LEAST_SECONDS, "Shortest event that counts.")
    merge_gap: float = option(
        MERGE_GAP,
        "Most seconds between two events of one class that are taken for one.",
    )
    memory_frames: int | None = option(
        None,
        "Frames beyond which a stream's model forgets, so that answers follow a long"
        " stream; 0 for never; by default a quarter of a clip's.",
    )
    num_threads: int = option(1, "Number of threads.")

    def __post_init__(self) -> None:
        targets = (self.target_precision, self.false_alarms_per_hour)
        if sum(target is not None for target in targets) != 1:
            raise ValueError(
                "Give either --target_precision or --false_alarms_per_hour, which one"
                " the threshold is chosen by."
            )
        if self.target_precision is not None and not 0 < self.target_precision <= 1:
            raise ValueError(
                f"target_precision is {self.target_precision:g}: it must be above 0 and"
                " at most 1."
            )
        rate = self.false_alarms_per_hour
        if rate is not None and not 0 <= rate < math.inf:
            raise ValueError(
                f"false_alarms_per_hour is {rate:g}: it must be 0 or more."
            )
        if rate is not None and not self.background:
            raise ValueError(
                "--false_alarms_per_hour is counted on videos that show none of the"
                " classes: give their folder by --background."
            )
        if not 0 < self.off_share <= 1:
            raise ValueError(
                f"off_share is {self.off_share:g}: it must be above 0 and at most 1."
            )
        check_positive(num_threads=self.num_threads)
        # It checks the others.
        self.rules(1.0)

    def rules(self, threshold: float) -> EventRules:
        """Returns the rules of events for a threshold."""
        return EventRules(
            threshold, self.off_share * threshold, self.least_seconds, self.merge_gap
        )


@dataclasses.dataclass(frozen=True)
class _Clip:
    """A clip's prepared frames, uint8 [N, size, size, 3], and its label."""

    frames: np.ndarray
    label: int


def calibrate(config: CalibrationConfig) -> str:
    """Chooses temperature and threshold, writes them into the file, and describes both.

    Returns:
        A table for people.

    Raises:
        ValueError: If clips or background do not fit the file or each other, or no
            threshold reaches the target.
        OSError: If a file cannot be read or written.
    """
    exported = read_stream_or_clip_file(config.model)
    refuse_several_labels(exported.path, exported.manifest)
    output = Path(config.output or config.model)
    _check_output(output)
    listed = list_background(config.background) if config.background else []
    clips = _clips(config.clips, exported, listed)
    memory = _memory(config, exported)
    with _scorer(config, memory) as scorer:
        logits, labels = [], []
        for clip in clips:
            logits.append(scorer.frames(clip.frames).logits[-1])
            labels.append(clip.label)
        background = _background(listed, scorer)
    stacked, indices = np.stack(logits), np.array(labels)
    others = _clip_logits(background, exported)
    plain = NoneOfThese(exported.labels, memory_frames=memory or None)
    scored = dataclasses.replace(plain, temperature=fit_temperature(stacked, indices))
    if (stacked.argmax(axis=1) == indices).all():
        logging.warning(
            "The likeliest class of all %d clips is right: that says too little about"
            " the temperature, which stays 1.",
            len(indices),
        )
    found = answers(scored, stacked, indices, others)
    if config.target_precision is not None:
        target = {"precision": config.target_precision}
        threshold = threshold_of_precision(found, config.target_precision)
    else:
        rate = config.false_alarms_per_hour or 0.0
        target = {"false_alarms_per_hour": rate}
        _warn_if_short(background, rate)
        threshold = threshold_of_false_alarms(background, scored, config.rules, rate)
    rules = config.rules(threshold)
    measures = [
        measure(indices, s.scores(stacked), exported.labels) for s in (plain, scored)
    ]
    calibration = {
        "target": target,
        "clips": len(indices),
        "accuracy": measures[0].top_1,
        "negative_log_likelihood": [m.negative_log_likelihood for m in measures],
        "calibration_error": [m.calibration_error for m in measures],
        "background_hours": hours(background),
        "background_clips": len(others),
        "precision": _known(found.precision(threshold)),
        "coverage": _known(found.coverage(threshold)),
        "false_alarms_per_hour": (
            false_alarms_an_hour(background, scored, rules) if background else None
        ),
    }
    entry = manifest_entry(dataclasses.replace(scored, rules=rules), calibration)
    add_to_manifest(Path(config.model), output, {MANIFEST_KEY: entry})
    return _table(entry)


def _clips(source, exported, background) -> Iterator[_Clip]:
    """Returns an iterator over labeled clips; they are checked first."""
    if os.path.isdir(source):
        videos = list_folder(source)
        if any(video.split for video in videos):
            videos = [video for video in videos if video.split == "validation"]
        if not videos:
            raise ValueError(
                f"{source} has splits, but no validation split: give a folder of the"
                " class folders of clips that training has not seen."
            )
        _check_classes(source, {video.label for video in videos}, exported)
        refuse_labeled(background, (video.path for video in videos))
        return _folder_clips(videos, exported)
    config = ModelConfig.from_json(json.dumps(exported.manifest["model"]), source)
    records = EvaluationRecords(source, config)
    if tuple(records.class_names) != tuple(exported.labels):
        raise ValueError(
            f"{source} has other classes than {exported.path}"
            f" ({first_few(records.class_names, 5)}, not"
            f" {first_few(exported.labels, 5)}): give records of its own."
        )
    return _record_clips(records, background)


def _check_classes(source, found, exported):
    unknown = sorted(found - set(exported.labels))
    if unknown:
        raise ValueError(
            f"{source} has the class folders {first_few(unknown, 5)}, and"
            f" {exported.path} has no such class: videos of none of its classes go to"
            " --background."
        )


def _folder_clips(videos: list[Video], exported):
    frames, fps = exported.manifest["window"], exported.manifest["fps"]
    read = 0
    for video in tqdm.tqdm(videos, "Validation clips", unit="clip"):
        try:
            clip = read_clip(video.path, frames, fps, exported.geometry)
        except (av.FFmpegError, OSError, ValueError) as error:
            logging.warning("Left out %s: %s", video.path, fault_of(video.path, error))
            continue
        read += 1
        yield _Clip(clip, exported.labels.index(video.label))
    if not read:
        raise ValueError(f"None of the {len(videos)} validation clips can be read.")


def _record_clips(records, background):
    read = 0
    for clip in records.clips():
        refuse_labeled_names(background, [clip.name])
        read += 1
        yield _Clip(clip.frames, clip.label)
    if not read:
        raise ValueError("The records of validation clips hold no clip.")


def _background(paths: list[Path], scorer: FileScorer) -> list[VideoScores]:
    scores = []
    for path in tqdm.tqdm(paths, "Background", unit="video", disable=not paths):
        try:
            scores.append(scorer.video(path))
        except ValueError as error:
            logging.warning("Left out of the background: %s", error)
    if paths and not scores:
        raise ValueError(
            f"None of the {len(paths)} background videos can be used: give others."
        )
    return scores


def _clip_logits(background, exported) -> np.ndarray:
    """Returns logits [clips, classes] at the end of each clip's length of background.

    A video that is shorter than a clip counts as one.
    """
    seconds = exported.manifest["window"] / exported.manifest["fps"]
    rows = [np.empty((0, len(exported.labels)))]
    for video in background:
        count = max(1, math.floor(video.seconds / seconds))
        ends = np.searchsorted(
            video.spans[:, 1], seconds * np.arange(1, count + 1) - 1e-6
        )
        rows.append(video.logits[np.minimum(ends, len(video.logits) - 1)])
    return np.concatenate(rows)


def _warn_if_short(background, rate):
    lasts = hours(background)
    if rate * lasts < 1:
        logging.warning(
            "The background lasts %.3g hours, in which a single event is %.3g an hour:"
            " the threshold is above all of it. Give longer background to choose it"
            " better.",
            lasts,
            1 / lasts,
        )


@contextlib.contextmanager
def _scorer(config, memory):
    """Yields a scorer of the file without an earlier calibration."""
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / Path(config.model).name
        add_to_manifest(Path(config.model), plain, {MANIFEST_KEY: None})
        with FileScorer(plain, config.num_threads, memory) as scorer:
            yield scorer


def _memory(config, exported):
    check_memory(exported, config.memory_frames)
    if exported.classifies_clips:
        return 0
    if config.memory_frames is not None:
        return config.memory_frames
    return max(1, round(exported.manifest["window"] / 4))


def _check_output(output):
    if output.suffix != ".tflite":
        raise ValueError(f"--output={output}: name a .tflite file.")
    if not output.parent.is_dir():
        raise OSError(f"--output={output} is in a missing folder: give a file's path.")


def _known(value):
    return None if math.isnan(value) else value


def _table(entry):
    told = entry["calibration"]

    def both(values, digits):
        return f"{values[0]:.{digits}f}, {values[1]:.{digits}f} calibrated"

    rows = [
        ("validation clips", f"{told['clips']}, {told['accuracy']:.1%} right"),
        ("memory", _frames(entry["memory_frames"])),
        ("temperature", f"{entry['temperature']:.3f}"),
        ("NLL", both(told["negative_log_likelihood"], 3)),
        ("ECE", both(told["calibration_error"], 3)),
        ("threshold", f"{entry['on_threshold']:.4f}"),
        ("events end below", f"{entry['off_threshold']:.4f}"),
        ("right answers", _share(told["precision"], "of the answers")),
        ("found", _share(told["coverage"], "of the clips of the classes")),
    ]
    if told["false_alarms_per_hour"] is not None:
        rows += [
            ("background", f"{told['background_hours']:.3f} hours"),
            ("false alarms", f"{told['false_alarms_per_hour']:.3g} an hour"),
        ]
    return text_table(rows, "<")


def _share(value, of):
    return "none" if value is None else f"{value:.1%} {of}"


def _frames(count):
    return "all frames" if count is None else f"{count} frames"
