"""Runs an exported file over whole videos, and keeps the logits of each step."""

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import av
import numpy as np

from grw_tf.data.videos.clips import stream_frames
from grw_tf.streaming import ClipClassifier, StreamSession
from grw_tf.streaming.events import Event, EventDetector, EventRules, LabelEventRules
from grw_tf.streaming.exported_file import read_stream_or_clip_file
from grw_tf.streaming.stream_events import event_scores


@dataclasses.dataclass(frozen=True, eq=False)
class VideoScores:
    """What a file says about a video.

    Attributes:
        spans: float64 [steps, 2], start and end of each step in seconds.
        logits: float64 [steps, num_classes], after each step.
    """

    spans: np.ndarray
    logits: np.ndarray

    @property
    def seconds(self) -> float:
        """The length of the video, as far as it was classified."""
        return float(self.spans[-1, 1])

    def events(
        self,
        labels: Sequence[str],
        scores: Callable[[np.ndarray], np.ndarray],
        rules: EventRules | LabelEventRules,
    ) -> list[Event]:
        """Returns the events that a live stream would have found.

        Args:
            labels: Names of the classes.
            scores: The function from logits [..., num_classes] to scores.
            rules: The rules of events.
        """
        rows = scores(self.logits)
        if isinstance(rules, EventRules) and rows.max() < rules.on_threshold:
            return []
        detector = EventDetector(labels, rules)
        found = []
        for (start, end), row in zip(self.spans.tolist(), rows, strict=True):
            found += detector.push(start, end, row)
        return found + detector.finish()


class FileScorer:
    """Runs an exported file, of streams or of clips, over videos.

    Args:
        path: The exported file.
        num_threads: Number of threads.
        memory_frames: As of `StreamSession`; ignored for a classifier of clips.

    Attributes:
        event_scores: The function from logits [..., num_classes] to the scores that
            events go by.
        fps: Frames per second that the model sees.
        geometry: How frames are prepared.
        clip_frames: Frames of a training clip.

    Raises:
        OSError, ValueError: If the file cannot be used.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        num_threads: int = 1,
        memory_frames: int | None = None,
    ) -> None:
        exported = read_stream_or_clip_file(path)
        of_clips = exported.classifies_clips
        self._runner: Any
        if of_clips:
            self._runner = ClipClassifier(path, num_threads)
        else:
            self._runner = StreamSession(path, num_threads, memory_frames=memory_frames)
        self._of_clips = of_clips
        self.event_scores = event_scores(exported, self._runner.none_of_these)
        self.fps = self._runner.fps
        self.geometry = self._runner.geometry
        self.clip_frames = self._runner.manifest["window"]

    def __enter__(self) -> "FileScorer":
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.close()

    def video(self, path: str | os.PathLike) -> VideoScores:
        """Returns the scores of a video, from its first frame to its last.

        Raises:
            ValueError: If it cannot be read, or is shorter than a step.
        """
        try:
            frames = stream_frames(path, self.fps, self.geometry)
            return self.frames(frame for _, frame in frames)
        except (av.FFmpegError, OSError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ValueError(f"{path} cannot be read as a video: {reason}.") from None
        except _NoStep:
            raise ValueError(
                f"{path} is shorter than what the model takes at once."
            ) from None

    def frames(self, frames: Iterable[np.ndarray]) -> VideoScores:
        """Returns the scores of prepared frames, uint8 [size, size, 3] each."""
        spans, logits = [], []
        for start, end, scored in (self._clips if self._of_clips else self._steps)(
            frames
        ):
            spans.append((start / self.fps, end / self.fps))
            logits.append(scored)
        if not spans:
            raise _NoStep
        return VideoScores(np.array(spans), np.array(logits, np.float64))

    def _steps(self, frames) -> Iterator[tuple[int, int, np.ndarray]]:
        session = self._runner
        session.reset()
        for frame in frames:
            before = session.steps
            session.push_prepared(frame)
            if session.steps > before:
                size = session.frames_per_step
                yield before * size, session.steps * size, session.logits()

    def _clips(self, frames) -> Iterator[tuple[int, int, np.ndarray]]:
        """As `grw-stream` does: the last clip ends where the video does."""
        kept: list[np.ndarray] = []
        seen = begun = 0
        for frame in frames:
            kept = [*kept[-self.clip_frames + 1 :], frame]
            seen += 1
            if seen - begun == self.clip_frames:
                yield begun, seen, self._runner.logits(kept, prepared=True)
                begun = seen
        if seen > begun:
            yield begun, seen, self._runner.logits(kept, prepared=True)


class _NoStep(ValueError):
    """There were fewer frames than a step takes."""
