r"""Runs an exported model on a video, a camera or a network stream, frame by frame.

Prints the likeliest classes after each frame, or those that a model with several labels
names, and can draw them onto a copy of the video. At the end it prints a summary to
standard error. Ctrl-C ends it. Frames of cameras and network streams have the time of
their arrival, those of a file at a URL (http://...) their own time stamps.

    grw-stream --model=model.tflite --source=video.mp4
    grw-stream --model=model.tflite --source=0 --json
    grw-stream --model=model.tflite --source=rtsp://camera/stream \
        --output=annotated.mp4

A file that classifies whole clips, as that of a base model, takes a video file in
clips, one after the other; the last one ends where the video does.

Where no class reaches the threshold that `grw-calibrate` put into the file, or
--on_threshold, the line begins with "none". --events writes events, each of one class
from a start to an end, as they are found. Those of a model with several labels go by
its thresholds, and may overlap:

    grw-stream --model=model.tflite --source=0 --events=events.csv
    grw-stream --model=model.tflite --source=video.mp4 --events=-

It needs no TensorFlow: `pip install 'grw_tf[video]'` installs all that it needs.
"""

import collections
import contextlib
import dataclasses
import json
import os
import signal
import statistics
import sys
import time

from absl import flags

from grw_tf.common.flags import config_from_flags
from grw_tf.common.flags import define_flags as define_options
from grw_tf.data.videos.annotated_video import AnnotatedVideo
from grw_tf.data.videos.video_sources import as_path, file_frames, is_live, live_frames
from grw_tf.frames.opencv_preparation import prepare_frame
from grw_tf.streaming import ClipClassifier, StreamSession
from grw_tf.streaming.answers import likeliest, reaching
from grw_tf.streaming.event_file import STANDARD_OUTPUT, EventFile
from grw_tf.streaming.event_options import EventOptions
from grw_tf.streaming.events import EventDetector, EventRules
from grw_tf.streaming.exported_file import read_stream_or_clip_file
from grw_tf.streaming.none_of_these import NONE
from grw_tf.streaming.stream_events import event_scores

_FLAGS = flags.FLAGS


def define_flags() -> None:
    flags.DEFINE_string("model", None, "Exported .tflite file.", required=True)
    flags.DEFINE_string(
        "source",
        None,
        "Video file, camera index or URL (rtsp://..., http://...).",
        required=True,
    )
    flags.DEFINE_string("output", None, "Video to write, with classes drawn on.")
    flags.DEFINE_bool("json", False, "Print a JSON object a line.")
    flags.DEFINE_integer("top", 3, "Number of classes to print.", lower_bound=1)
    flags.DEFINE_float(
        "max_gap",
        None,
        "Most seconds for which a frame is repeated if the next one is late; by default"
        " that of StreamSession.",
    )
    flags.DEFINE_integer("num_threads", 1, "Number of threads.")
    flags.DEFINE_string(
        "events",
        None,
        "File of events to write, .csv or .jsonl, or - to print them as lines of JSON"
        " in place of the classes.",
    )
    define_options(EventOptions)


class _Results:
    """The results of a run, and its milliseconds a frame or a clip.

    Args:
        unit: What is classified, "frame" or "clip".
        first: What the first result is of, in words.
        none_of_these: When an answer counts.
    """

    def __init__(self, unit, first, none_of_these):
        self.unit = unit
        self.first = first
        self.none_of_these = none_of_these
        self.top = []
        # Those that reach their thresholds, for a model with several labels.
        self.named = None
        self.milliseconds = []
        self._answer = None

    @property
    def drawn(self):
        """The classes to draw, and their scores."""
        if self.named is not None:
            return self.named
        is_none = self._answer is not None and self._answer[0] is None
        return [(NONE, None)] if is_none else self.top

    def _take(self, model, logits):
        """Takes the logits of a result."""
        scores = model.scores(logits)
        self.top = likeliest(model.labels, scores, _FLAGS.top)
        if model.thresholds is not None:
            self.named = reaching(model.labels, scores, model.thresholds)
        elif self.none_of_these.may_say_none:
            self._answer = self.none_of_these.answer(logits)

    def _print(self, seconds, frame):
        if _FLAGS.events == STANDARD_OUTPUT:
            return
        milliseconds = self.milliseconds[-1]
        if _FLAGS.json:
            told = {}
            if self._answer is not None:
                told = dict(zip(("answer", "score"), self._answer, strict=True))
            line = json.dumps(
                {
                    "time": round(seconds, 3),
                    "frame": frame,
                    "top": _listed(self.top),
                    **({} if self.named is None else {"named": _listed(self.named)}),
                    **told,
                    "ms": round(milliseconds, 3),
                },
                ensure_ascii=False,
            )
        else:
            classes = "  ".join(f"{name} {share:.2f}" for name, share in self.top)
            if self.named is not None:
                named = (f"{name} {share:.2f}" for name, share in self.named)
                classes = "  ".join(named) or "(none)"
            elif self._answer is not None and self._answer[0] is None:
                classes = f"{NONE}  {classes}"
            line = f"{seconds:7.2f} s  {classes}  ({milliseconds:.1f} ms)"
        print(line, flush=True)


class _Run(_Results):
    """A run of a stream over a source."""

    def __init__(self, session, finds_events, events):
        first = f"the {session.frames_per_step} frames of a step"
        super().__init__("frame", first, session.none_of_these)
        self._session = session
        self._finds_events = finds_events
        self._events = events
        self._spent = 0.0

    def push(self, seconds, push, *arguments):
        """Gives a frame to the session, and prints the result."""
        steps = self._session.steps
        start = time.perf_counter()
        push(*arguments)
        steps = self._session.steps - steps
        if steps:
            self._take(self._session, self._session.logits())
        self._spent += time.perf_counter() - start
        if steps:
            frames = steps * self._session.frames_per_step
            self.milliseconds += [self._spent * 1e3 / frames] * frames
            self._spent = 0.0
            self._print(seconds, len(self.milliseconds) - 1)
        self._write_events()

    def finish(self):
        """Ends all events."""
        self._session.flush()
        self._write_events()

    def _write_events(self):
        # Those that nobody wants are taken too, or they would fill the memory.
        found = self._session.events() if self._finds_events else []
        if self._events is not None:
            for event in found:
                self._events.write(event)


class _ClipRun(_Results):
    """A run of a classifier of clips over a video."""

    def __init__(self, exported, classifier, rules, events):
        none_of_these = classifier.none_of_these
        if isinstance(rules, EventRules):
            none_of_these = dataclasses.replace(none_of_these, rules=rules)
        super().__init__("clip", "its first frame", none_of_these)
        self._classifier = classifier
        self._events = events
        if events is not None:
            self._detector = EventDetector(classifier.labels, rules)
            self._scores = event_scores(exported, none_of_these)
        self._frames = collections.deque(maxlen=classifier.frames)
        self._seconds = 0.0
        self._seen = 0
        # Frames since the last clip.
        self._new = 0

    def push(self, seconds, frame):
        """Takes a prepared frame, and classifies the clip that it ends, if it does."""
        self._seconds = seconds
        self._frames.append(frame)
        self._seen += 1
        self._new += 1
        if self._new == self._classifier.frames:
            self._classify()

    def flush(self):
        """Classifies the video's last clip, if frames of it are new."""
        if self._new:
            self._classify()

    def finish(self):
        """Ends all events."""
        if self._events is not None:
            for event in self._detector.finish():
                self._events.write(event)

    def _classify(self):
        # A clip covers the frames since the last one.
        begun = self._seen - self._new
        self._new = 0
        start = time.perf_counter()
        logits = self._classifier.logits(self._frames, prepared=True)
        self._take(self._classifier, logits)
        self.milliseconds.append((time.perf_counter() - start) * 1e3)
        self._print(self._seconds, self._seen - 1)
        if self._events is not None:
            scores = self._scores(logits)
            span = (frame / self._classifier.fps for frame in (begun, self._seen))
            for event in self._detector.push(*span, scores):
                self._events.write(event)


def _listed(classes):
    return [
        {"class": name, "probability": round(probability, 6)}
        for name, probability in classes
    ]


def _ending_signals():
    """Returns a list that receives the number of the signal that asks for the end.

    A second signal ends the program at once.
    """
    received = []

    def receive(number, _):
        received.append(number)
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, receive)
    return received


def main(_: object) -> int:
    """Runs the stream; returns the exit status."""
    source = as_path(_FLAGS.source)
    exported = read_stream_or_clip_file(_FLAGS.model)
    of_clips = exported.classifies_clips
    if of_clips and is_live(source):
        raise ValueError(
            f"{_FLAGS.model} classifies whole clips, and {source} is live: use a video"
            " file, or a stream model's file."
        )
    if of_clips and _FLAGS.max_gap is not None:
        raise ValueError(
            f"--max_gap={_FLAGS.max_gap:g}: {_FLAGS.model} classifies whole clips, and"
            " repeats no late frames: leave it out."
        )
    rules = _rules(exported)
    ended = _ending_signals()
    with contextlib.ExitStack() as stack:
        events = None
        if _FLAGS.events:
            events = stack.enter_context(contextlib.closing(EventFile(_FLAGS.events)))
        open_source = _open_clips if of_clips else _open_stream
        run, frames = open_source(stack, source, exported, rules, events)
        video = None
        if _FLAGS.output:
            _check_output(source)
            video = AnnotatedVideo(_FLAGS.output)
            stack.enter_context(contextlib.closing(video))
        start = time.perf_counter()
        for seconds, picture in frames:
            if video is not None:
                video.write(seconds, picture, run.drawn)
            if ended:
                break
        run.finish()
        _summarize(run, time.perf_counter() - start)
        if not (run.milliseconds or ended):
            raise ValueError(f"{source} ended before {run.first}.")
    return 128 + ended[0] if ended else 0


def _rules(exported):
    """Returns the rules of a file's events, changed by flags; None if there are none.

    Raises:
        ValueError: If they are invalid, or --events needs them and there are none.
    """
    rules = config_from_flags(EventOptions).rules_of_file(exported)
    if _FLAGS.events and rules is None:
        raise ValueError(
            f"--events needs a threshold, and {exported.path} has none: calibrate it"
            " with grw-calibrate, or give --on_threshold."
        )
    return rules


def _open_stream(stack, source, exported, rules, events):
    """Returns a run of a stream, and the frames that it reads."""
    given = {} if _FLAGS.max_gap is None else {"max_gap": _FLAGS.max_gap}
    # Answers go by the rules too.
    finds_events = events is not None or isinstance(rules, EventRules)
    session = stack.enter_context(
        StreamSession(
            exported.path,
            num_threads=_FLAGS.num_threads,
            find_events=(finds_events and rules) or False,
            memory_frames=_FLAGS.memory_frames,
            **given,
        )
    )
    run = _Run(session, finds_events, events)
    read = _live if is_live(source) else _recorded
    return run, stack.enter_context(contextlib.closing(read(run, session, source)))


def _open_clips(stack, source, exported, rules, events):
    """Returns a run of a classifier of clips, and the frames that it reads."""
    classifier = stack.enter_context(
        ClipClassifier(exported.path, num_threads=_FLAGS.num_threads)
    )
    run = _ClipRun(exported, classifier, rules, events)
    frames = contextlib.closing(_clips(run, classifier, source))
    return run, stack.enter_context(frames)


def _live(run, session, source):
    seconds = 0.0
    try:
        for seconds, picture in live_frames(source):
            run.push(seconds, session.push, picture, seconds)
            yield seconds, picture
    except OSError:
        # The source broke off: the frames so far are still classified.
        run.push(seconds, session.flush)
        raise
    run.push(seconds, session.flush)


def _recorded(run, session, path):
    frames = file_frames(path, session.fps, all_frames=bool(_FLAGS.output))
    for seconds, picture, is_seen in frames:
        if is_seen:
            frame = prepare_frame(picture, session.geometry)
            run.push(seconds, session.push_prepared, frame)
        yield seconds, picture


def _clips(run, classifier, path):
    frames = file_frames(path, classifier.fps, all_frames=bool(_FLAGS.output))
    for seconds, picture, is_seen in frames:
        if is_seen:
            run.push(seconds, prepare_frame(picture, classifier.geometry))
        yield seconds, picture
    run.flush()


def _check_output(source):
    both = os.path.exists(source) and os.path.exists(_FLAGS.output)
    if both and os.path.samefile(source, _FLAGS.output):
        raise ValueError(f"{source} would be overwritten: give another --output.")


def _summarize(run, seconds):
    times, unit = run.milliseconds, run.unit
    if times:
        print(
            f"{len(times)} {unit}s, median {statistics.median(times):.1f} ms a {unit};"
            f" {len(times) / seconds:.1f} {unit}s/s, reading and drawing included.",
            file=sys.stderr,
        )
