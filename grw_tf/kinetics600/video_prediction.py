"""Predicts videos: worker processes read them, and all devices compute logits."""

import contextlib
import time
from collections.abc import Iterator, Sequence

import numpy as np
import tqdm

from grw_tf.common.process_pool import run_parallel
from grw_tf.data.listing.video_list import Video
from grw_tf.kinetics600.clips import ClipRule, ClipTask, read_published_clips
from grw_tf.kinetics600.prediction_files import PredictedClips, PredictionFiles
from grw_tf.kinetics600.sharded_inference import ShardedInference
from grw_tf.kinetics600.speed import RunSpeed


def predict_files(
    files: PredictionFiles,
    numbers: Sequence[int],
    videos: Sequence[Video],
    labels: Sequence[int],
    rule: ClipRule,
    inference: ShardedInference,
    workers: int,
    test_clips: int,
) -> RunSpeed:
    """Writes files of predictions in their order, with a progress bar.

    Args:
        files: Files of the run.
        numbers: Numbers of the files to write.
        videos: All videos of the run.
        labels: Class of each video.
        rule: How videos are cut into clips.
        inference: Inference with the model.
        workers: Processes that read videos; 0 is one per core.
        test_clips: Clips for which the progress bar estimates the time.

    Raises:
        ValueError: As `Launched.logits`.
        ChildProcessError: If a process was killed.
        OSError: If a file cannot be written.
    """
    speed = RunSpeed()
    right = 0
    tasks = (
        ClipTask(videos[position], rule)
        for number in numbers
        for position in files.videos(number)
    )
    readings = run_parallel(read_published_clips, tasks, workers, in_order=True)
    total = sum(len(files.videos(number)) for number in numbers)
    with (
        contextlib.closing(readings),
        tqdm.tqdm(desc="Predicting", total=total, unit="video") as bar,
    ):
        waited = _waited(readings, speed)
        for number in numbers:
            predicted = _predict(files.videos(number), waited, inference, speed, bar)
            files.write(number, predicted)
            of_clips = np.asarray(labels)[predicted.videos]
            right += (predicted.logits.argmax(axis=1) == of_clips).sum()
            if rate := speed.clips_per_second():
                bar.set_postfix_str(
                    f"{rate:.2f} clips/s, top-1 {right / speed.clips:.3f},"
                    f" {test_clips:,} clips in {test_clips / rate / 3600:.1f} h"
                )
    return speed


def _waited(readings, speed):
    """Yields what is read and counts the time of waiting for it."""
    while True:
        start = time.monotonic()
        read = next(readings, None)
        speed.wait(time.monotonic() - start)
        if read is None:
            return
        yield read[1]


def _predict(positions, readings: Iterator, inference, speed, bar) -> PredictedClips:
    batches = _Batches(inference, speed)
    videos, too_short, dropped, unreadable = [], [], [], {}
    for position in positions:
        read = next(readings)
        if isinstance(read, str):
            unreadable[position] = read
        elif not len(read.clips):
            dropped.append(position)
        else:
            for clip in read.clips:
                batches.add(clip)
            videos += [position] * len(read.clips)
            too_short += [read.too_short] * len(read.clips)
        bar.update()
    return PredictedClips(
        logits=batches.logits(),
        videos=np.array(videos, np.int64),
        too_short=np.array(too_short, bool),
        dropped=tuple(dropped),
        unreadable=unreadable,
    )


class _Batches:
    """Predicts clips as soon as they fill a batch. One batch runs at a time."""

    def __init__(self, inference, speed):
        self._inference, self._speed = inference, speed
        self._clips, self._logits, self._launched = [], [], None

    def add(self, clip):
        self._clips.append(clip)
        if len(self._clips) == self._inference.batch_size:
            self._launch()

    def logits(self):
        """Returns the logits of all clips, [clips, classes]."""
        if self._clips:
            self._launch()
        self._collect()
        classes = self._inference.num_classes
        return np.concatenate([np.empty((0, classes), np.float32), *self._logits])

    def _launch(self):
        clips, self._clips = np.stack(self._clips), []
        launched = self._inference.launch(clips)
        self._collect()
        self._launched = launched
        if not self._speed.clips:
            # The speed of the other batches is measured from the end of the first.
            self._collect()

    def _collect(self):
        if self._launched is not None:
            self._logits.append(self._launched.logits())
            self._speed.add(self._launched.clips)
            self._launched = None
