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

It needs no TensorFlow: `pip install 'grw_tf[video]'` installs all that it needs.
"""

import collections
import contextlib
import json
import os
import signal
import statistics
import sys
import time

from absl import flags

from grw_tf.data.videos.annotated_video import AnnotatedVideo
from grw_tf.data.videos.video_sources import as_path, file_frames, is_live, live_frames
from grw_tf.frames.opencv_preparation import prepare_frame
from grw_tf.streaming import ClipClassifier, StreamSession
from grw_tf.streaming.answers import likeliest, reaching
from grw_tf.streaming.exported_file import read_stream_or_clip_file

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


class _Results:
    """The results of a run, and its milliseconds a frame or a clip.

    Args:
        unit: What is classified, "frame" or "clip".
        first: What the first result is of, in words.
    """

    def __init__(self, unit, first):
        self.unit = unit
        self.first = first
        self.top = []
        # Those that reach their thresholds, for a model with several labels.
        self.named = None
        self.milliseconds = []

    @property
    def shown(self):
        """The classes to show."""
        return self.top if self.named is None else self.named

    def _take(self, model, scores):
        self.top = likeliest(model.labels, scores, _FLAGS.top)
        if model.thresholds is not None:
            self.named = reaching(model.labels, scores, model.thresholds)

    def _print(self, seconds, frame):
        milliseconds = self.milliseconds[-1]
        if _FLAGS.json:
            line = json.dumps(
                {
                    "time": round(seconds, 3),
                    "frame": frame,
                    "top": _listed(self.top),
                    **({} if self.named is None else {"named": _listed(self.named)}),
                    "ms": round(milliseconds, 3),
                },
                ensure_ascii=False,
            )
        else:
            classes = "  ".join(f"{name} {share:.2f}" for name, share in self.shown)
            classes = classes or "(none)"
            line = f"{seconds:7.2f} s  {classes}  ({milliseconds:.1f} ms)"
        print(line, flush=True)


class _Run(_Results):
    """A run of a stream over a source."""

    def __init__(self, session):
        super().__init__("frame", f"the {session.frames_per_step} frames of a step")
        self._session = session
        self._spent = 0.0

    def push(self, seconds, push, *arguments):
        """Gives a frame to the session, and prints the result."""
        steps = self._session.steps
        start = time.perf_counter()
        push(*arguments)
        steps = self._session.steps - steps
        if steps:
            self._take(self._session, self._session.classify())
        self._spent += time.perf_counter() - start
        if steps:
            frames = steps * self._session.frames_per_step
            self.milliseconds += [self._spent * 1e3 / frames] * frames
            self._spent = 0.0
            self._print(seconds, len(self.milliseconds) - 1)


class _ClipRun(_Results):
    """A run of a classifier of clips over a video."""

    def __init__(self, classifier):
        super().__init__("clip", "its first frame")
        self._classifier = classifier
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

    def _classify(self):
        self._new = 0
        start = time.perf_counter()
        scores = self._classifier.classify(self._frames, prepared=True)
        self._take(self._classifier, scores)
        self.milliseconds.append((time.perf_counter() - start) * 1e3)
        self._print(self._seconds, self._seen - 1)


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
    of_clips = read_stream_or_clip_file(_FLAGS.model).classifies_clips
    if of_clips and is_live(source):
        raise ValueError(
            f"{_FLAGS.model} classifies whole clips, and {source} is live: use a video"
            " file, or a stream model's file."
        )
    ended = _ending_signals()
    with contextlib.ExitStack() as stack:
        run, frames = (_open_clips if of_clips else _open_stream)(stack, source)
        video = None
        if _FLAGS.output:
            _check_output(source)
            video = AnnotatedVideo(_FLAGS.output)
            stack.enter_context(contextlib.closing(video))
        start = time.perf_counter()
        for seconds, picture in frames:
            if video is not None:
                video.write(seconds, picture, run.shown)
            if ended:
                break
        _summarize(run, time.perf_counter() - start)
        if not (run.milliseconds or ended):
            raise ValueError(f"{source} ended before {run.first}.")
    return 128 + ended[0] if ended else 0


def _open_stream(stack, source):
    """Returns a run of a stream, and the frames that it reads."""
    given = {} if _FLAGS.max_gap is None else {"max_gap": _FLAGS.max_gap}
    session = stack.enter_context(
        StreamSession(_FLAGS.model, num_threads=_FLAGS.num_threads, **given)
    )
    run = _Run(session)
    read = _live if is_live(source) else _recorded
    return run, stack.enter_context(contextlib.closing(read(run, session, source)))


def _open_clips(stack, source):
    """Returns a run of a classifier of clips, and the frames that it reads."""
    classifier = stack.enter_context(
        ClipClassifier(_FLAGS.model, num_threads=_FLAGS.num_threads)
    )
    run = _ClipRun(classifier)
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
