"""Runs a stream of frames through an exported model."""

import dataclasses
import logging
import math
import os
from typing import Any, NoReturn

import numpy as np

from grw_tf.frames.clock import FrameClock, seconds
from grw_tf.frames.numpy_preparation import FramePreparation
from grw_tf.frames.time_unit import TimeUnit
from grw_tf.streaming.answers import check_thresholds, likeliest, reaching
from grw_tf.streaming.events import Event, EventDetector, EventRules, LabelEventRules
from grw_tf.streaming.exported_file import read_exported_file, warn_of_mismatch
from grw_tf.streaming.frame_check import check_frame
from grw_tf.streaming.none_of_these import read_none_of_these, refuse_several_labels
from grw_tf.streaming.runners import open_runner
from grw_tf.streaming.signature_names import FRAME_COUNT
from grw_tf.streaming.stream_events import StreamEvents, event_rules, event_scores


class StreamSession:
    """Classifies a video frame by frame.

        with StreamSession("model.tflite") as session:
            for frame in frames:  # uint8 [height, width, 3], RGB, of any size
                session.push(frame)
                print(session.top(3))

    Frames without times are all seen by the model, which expects `fps` of them a
    second. Frames with times can have any rate: the model sees those that it would see
    in training, by the rules of `FrameClock`. A frame is processed when the next one
    comes, because only then is it known how long it was on screen, and the last one at
    `flush`.

    `TimeUnit` refuses times that look like milliseconds or a smaller unit. While the
    first times of a stream leave that in doubt, its frames are kept, about five of
    them. They are processed when it is settled, or at `flush`.

    With `find_events` it also finds events:

        with StreamSession("model.tflite", find_events=True) as session:
            for frame in frames:
                session.push(frame)
                for event in session.events():
                    print(event.start, event.end, event.label, event.score)

    A session must not be used by several threads at once, and cannot be pickled or
    copied: open one in each process and for each stream.

    Args:
        path: An exported file.
        num_threads: Number of threads.
        runner: "compiled", which copies no states, or "interpreter"; by default the
            first of them that runs here.
        max_gap: Most seconds for which a frame is repeated when times jump ahead.
        find_events: Whether to find events by the rules that `grw-calibrate` put into
            the file, or rules to take instead. `answer` takes them too. For a model
            with several labels they are `LabelEventRules`, by default from its
            thresholds. A model that gives logits on demand is then asked for them at
            each step.
        memory_frames: Frames beyond which the model forgets: its means over the stream
            then forget at rate 1 / `memory_frames`, and its head sees no earlier ones.
            An official head's mean otherwise is that of all frames so far, so that
            after a minute nothing new counts for much. 0 for no such limit; by default
            that of the file's calibration, if it has one.

    Attributes:
        labels: Names of the classes.
        thresholds: The scores from which `named` names the classes of a model with
            several labels; None for a model with a softmax.
        scores: The function from logits [num_classes] to what `classify` returns:
            probabilities, or sigmoids.
        manifest: The file's manifest.
        geometry: How `push` prepares frames, a `grw_tf.frames.geometry.FrameGeometry`.
        size: Height and width in pixels of the frames that the model sees.
        fps: Frames per second that the model sees.
        frames_per_step: Frames that a step of the model takes.
        runner: Name of the runner in use.
        steps: Number of steps that the model has run since the start or `reset`.
        none_of_these: When an answer counts, a `NoneOfThese`.

    Raises:
        OSError: If the file is not there, or cannot be read.
        ValueError: If it is not an export of this project or is damaged, or an argument
            is invalid.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        num_threads: int = 1,
        runner: str | None = None,
        max_gap: float = 1.0,
        find_events: bool | EventRules | LabelEventRules = False,
        memory_frames: int | None = None,
    ) -> None:
        exported = read_exported_file(path)
        self.none_of_these = read_none_of_these(
            exported.path, exported.labels, exported.manifest
        )
        self._events: StreamEvents | None = None
        if find_events:
            asked = None
            if isinstance(find_events, EventRules | LabelEventRules):
                asked = find_events
            rules = event_rules(exported, self.none_of_these, asked)
            if isinstance(rules, EventRules):
                self.none_of_these = dataclasses.replace(
                    self.none_of_these, rules=rules
                )
            self._events = StreamEvents(
                EventDetector(exported.labels, rules),
                event_scores(exported, self.none_of_these),
                exported.manifest["frames_per_step"] / exported.manifest["fps"],
            )
        self.labels = exported.labels
        self.thresholds = exported.thresholds
        self.scores = exported.scores
        self.manifest = exported.manifest
        self.geometry = exported.geometry
        self.size = self.geometry.size
        self.fps = self.manifest["fps"]
        self.frames_per_step = self.manifest["frames_per_step"]
        # States that count frames, and what they count to before a step.
        self._counts = [name for name in exported.states if name.endswith(FRAME_COUNT)]
        self._most_count = self._count_limit(memory_frames)
        self._path = exported.path
        self._clock = FrameClock(self.fps, max_gap)
        self._time_unit = TimeUnit(max_gap)
        taken = self.manifest["input"]
        self._prepare = FramePreparation(self.geometry)
        self._image = np.empty(taken["shape"], taken["dtype"])
        # The same memory, as [frames, size, size, 3].
        self._chunk = self._image.reshape(taken["shape"][-4:])
        # None once the session is closed.
        self._runner: Any
        self.runner, self._runner = open_runner(exported, runner, num_threads)
        self._logits: np.ndarray | None
        self._forget()
        if "frame_fit" not in taken:
            logging.getLogger(__name__).warning(
                "%s was exported before frame_fit was recorded: frames are squashed to"
                " a square, as they were then.",
                path,
            )
        warn_of_mismatch(exported)

    def __enter__(self) -> "StreamSession":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"The session of {self._path} cannot be pickled or copied, because its"
            " model and stream are in this process: open one in each process and for"
            f" each stream, by StreamSession({str(self._path)!r})."
        )

    def push(self, frame: np.ndarray, time: float | None = None) -> np.ndarray | None:
        """Takes the next frame, of any size.

        It is resized and cropped as the file's manifest says, and as the model was
        evaluated.

        Args:
            frame: uint8 [height, width, 3], RGB, upright.
            time: The frame's time in seconds, from any origin; see the class.

        Returns:
            The probabilities [num_classes] if the model gives them at each step, and
            this frame completed a step; otherwise None.

        Raises:
            ValueError: For a frame of another kind, a time that is not finite or looks
                like milliseconds or a smaller unit, or a frame without a time after one
                with a time; or if the session is closed.
        """
        self._check_frame(frame)
        return self._push(frame, time, prepared=False)

    def push_prepared(
        self, frame: np.ndarray, time: float | None = None
    ) -> np.ndarray | None:
        """Takes the next frame, already resized and cropped; otherwise as `push`.

        Args:
            frame: uint8 [size, size, 3], RGB, as `stream_frames` of
                `grw_tf.data.videos.clips` gives it for the file's geometry.
            time: As in `push`.

        Returns, Raises: as `push`.
        """
        self._check_frame(frame)
        if frame.shape[:2] != (self.size, self.size):
            raise ValueError(
                f"A prepared frame must be {[self.size, self.size, 3]}, got"
                f" {list(frame.shape)}: give others to push()."
            )
        return self._push(frame, time, prepared=True)

    def flush(self, time: float | None = None) -> np.ndarray | None:
        """Processes the last frame with a time, and ends events, as a video ends.

        Args:
            time: Time of the end; by default the frame lasts as long as the one before
                it.

        Returns: as `push`.

        Raises:
            ValueError: For a time that is not a number, or if the session is closed.
        """
        self._check_open()
        time = None if time is None else seconds(time, most=math.inf)
        self._time_unit.restart()
        kept = self._take_kept()
        self._skipped = self._clock.skipped
        last = self._show_until_next(self._clock.end(time))
        if self._events is not None:
            self._events.finish()
        return kept if last is None else last

    def classify(self) -> np.ndarray:
        """Returns the probabilities [num_classes] after the frames so far.

        For a model with several labels, they are the sigmoid of each class.

        Raises:
            ValueError: If no step is complete, or the session is closed.
        """
        return self.scores(self.logits())

    def logits(self) -> np.ndarray:
        """Returns the logits [num_classes], and otherwise as `classify`."""
        self._check_open()
        if not self.steps:
            raise ValueError(self._what_lacks())
        if self._logits is None:
            self._logits = self._runner.classify()[0]
        return self._logits.copy()

    def top(self, k: int = 3) -> list[tuple[str, float]]:
        """Returns the k likeliest classes as (name, probability), likeliest first.

        Args:
            k: Number of classes; all of them if there are fewer.

        Raises:
            ValueError: As `classify`, or if k is below 1.
        """
        return likeliest(self.labels, self.classify(), k)

    def named(self) -> list[tuple[str, float]]:
        """Returns the classes whose sigmoids reach their thresholds, best score first.

        They are pairs (name, score): none, one or several.

        Raises:
            ValueError: As `classify`, or if the file's model has a softmax, which has
                no thresholds.
        """
        thresholds = check_thresholds(self._path, self.thresholds)
        return reaching(self.labels, self.classify(), thresholds)

    def answer(self) -> tuple[str | None, float]:
        """Returns the likeliest class after the frames so far, and its score.

        The class is None, "none of these", if the score does not reach the threshold of
        `none_of_these`, or if it is "background". The score is the probability at the
        calibrated temperature.

        Raises:
            ValueError: As `classify`, or if the model has several labels at once.
        """
        refuse_several_labels(self._path, self.manifest)
        return self.none_of_these.answer(self.logits())

    def events(self) -> list[Event]:
        """Returns the events found since the last call, by start.

        An event is found when it is over and too long ago to be merged with a later
        one. `flush` ends all events. Times are seconds since the first frame.

        Raises:
            ValueError: If the session was opened without `find_events`.
        """
        if self._events is None:
            raise ValueError(
                "This session finds no events: open it with find_events=True, or with"
                " rules."
            )
        return self._events.take()

    def reset(self) -> None:
        """Starts another stream. Events that nobody has taken are lost.

        Raises:
            ValueError: If the session is closed.
        """
        self._check_open()
        self._runner.reset()
        self._clock.restart()
        self._time_unit.restart()
        if self._events is not None:
            self._events.restart()
        self._forget()

    def close(self) -> None:
        """Releases the model; closing twice is harmless."""
        if self._runner is not None:
            self._runner.close()
            self._runner = None

    def _forget(self):
        self._filled = 0
        self.steps = 0
        self._logits = None
        self._shown = None
        # Frames whose times may not be in seconds.
        self._kept = []
        # Seconds before the frame on screen that times skipped.
        self._skipped = 0.0

    def _count_limit(self, memory_frames):
        if memory_frames is None:
            memory_frames = self.none_of_these.memory_frames or 0
        if memory_frames < 0:
            raise ValueError(f"memory_frames is {memory_frames}: it must be 0 or more.")
        if not memory_frames:
            return math.inf
        return max(0, memory_frames - self.frames_per_step)

    def _push(self, frame, time, prepared):
        if time is None:
            if self._shown is not None or self._kept:
                raise ValueError(
                    "This frame has no time, but those before it had: give one, or call"
                    " flush() or reset() first."
                )
            return self._see(frame if prepared else self._prepare(frame))
        time = seconds(time)
        can_be_shown = self._time_unit.check(time)
        # Cameras write the next frame into the same memory.
        self._kept.append((frame.copy(), prepared, time))
        return self._take_kept() if can_be_shown else None

    def _take_kept(self):
        kept, self._kept = self._kept, []
        probabilities = None
        for frame, prepared, time in kept:
            self._skipped = self._clock.skipped
            seen = self._show_until_next(self._clock.arrive(time))
            probabilities = probabilities if seen is None else seen
            self._shown = (frame, prepared)
        return probabilities

    def _show_until_next(self, ticks):
        """Processes the frame on screen as often as it had ticks."""
        if self._shown is None:
            return None
        frame, prepared = self._shown
        self._shown = None
        probabilities = None
        if ticks and not prepared:
            frame = self._prepare(frame)
        for _ in range(ticks):
            seen = self._see(frame)
            probabilities = probabilities if seen is None else seen
        return probabilities

    def _see(self, frame):
        """Processes one of the model's frames."""
        if self._chunk.dtype == np.uint8:
            self._chunk[self._filled] = frame
        else:
            np.divide(frame, np.float32(255), out=self._chunk[self._filled])
        self._filled += 1
        if self._filled < self.frames_per_step:
            return None
        self._filled = 0
        if self.steps * self.frames_per_step > self._most_count:
            for name in self._counts:
                self._runner.set_state(name, self._most_count)
        logits = self._runner.step(self._image)
        self.steps += 1
        self._logits = None if logits is None else logits[0]
        if self._events is not None:
            self._events.step(self.steps - 1, self._skipped, self.logits())
        return None if logits is None else self.scores(self._logits)

    def _what_lacks(self):
        if self._filled:
            return (
                f"A step of this model takes {self.frames_per_step} frames, and the"
                f" stream has seen {self._filled}: push more."
            )
        if self._shown is not None or self._kept:
            return "The first frame is still on screen: push the next, or flush()."
        return "Push a frame first: the stream has seen none."

    def _check_open(self):
        if self._runner is None:
            raise ValueError(f"The session of {self._path} is closed: open another.")

    def _check_frame(self, frame):
        self._check_open()
        check_frame(frame)
