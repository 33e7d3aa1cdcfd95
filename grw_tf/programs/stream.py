r"""Runs an exported model on a video, a camera or a network stream, frame by frame.

Prints the likeliest classes after each frame, and can draw them onto a copy of the
video. At the end it prints a summary to standard error. Ctrl-C ends it. Frames of
cameras and network streams have the time of their arrival, those of a file at a URL
(http://...) their own time stamps.

    grw-stream --model=model.tflite --source=video.mp4
    grw-stream --model=model.tflite --source=0 --json
    grw-stream --model=model.tflite --source=rtsp://camera/stream \
        --output=annotated.mp4

It needs no TensorFlow: `pip install 'grw_tf[video]'` installs all that it needs.
"""

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
from grw_tf.streaming import StreamSession

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


class _Run:
    """A run of a model over a source: its results and times."""

    def __init__(self, session):
        self._session = session
        self.top = []
        self.milliseconds = []
        self._spent = 0.0

    def push(self, seconds, push, *arguments):
        """Gives a frame to the session, and prints the result."""
        steps = self._session.steps
        start = time.perf_counter()
        push(*arguments)
        steps = self._session.steps - steps
        if steps:
            self.top = self._session.top(_FLAGS.top)
        self._spent += time.perf_counter() - start
        if steps:
            frames = steps * self._session.frames_per_step
            self.milliseconds += [self._spent * 1e3 / frames] * frames
            self._spent = 0.0
            self._print(seconds)

    def _print(self, seconds):
        milliseconds = self.milliseconds[-1]
        if _FLAGS.json:
            line = json.dumps(
                {
                    "time": round(seconds, 3),
                    "frame": len(self.milliseconds) - 1,
                    "top": [
                        {"class": name, "probability": round(probability, 6)}
                        for name, probability in self.top
                    ],
                    "ms": round(milliseconds, 3),
                },
                ensure_ascii=False,
            )
        else:
            classes = "  ".join(f"{name} {share:.2f}" for name, share in self.top)
            line = f"{seconds:7.2f} s  {classes}  ({milliseconds:.1f} ms)"
        print(line, flush=True)


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
    ended = _ending_signals()
    given = {} if _FLAGS.max_gap is None else {"max_gap": _FLAGS.max_gap}
    with contextlib.ExitStack() as stack:
        session = stack.enter_context(
            StreamSession(_FLAGS.model, num_threads=_FLAGS.num_threads, **given)
        )
        run = _Run(session)
        read = _live if is_live(source) else _recorded
        frames = stack.enter_context(contextlib.closing(read(run, session, source)))
        video = None
        if _FLAGS.output:
            _check_output(source)
            video = AnnotatedVideo(_FLAGS.output)
            stack.enter_context(contextlib.closing(video))
        start = time.perf_counter()
        for seconds, picture in frames:
            if video is not None:
                video.write(seconds, picture, run.top)
            if ended:
                break
        _summarize(run, time.perf_counter() - start)
        if not (run.milliseconds or ended):
            raise ValueError(
                f"{source} ended before the {session.frames_per_step} frames of a step."
            )
    return 128 + ended[0] if ended else 0


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


def _check_output(source):
    both = os.path.exists(source) and os.path.exists(_FLAGS.output)
    if both and os.path.samefile(source, _FLAGS.output):
        raise ValueError(f"{source} would be overwritten: give another --output.")


def _summarize(run, seconds):
    times = run.milliseconds
    if times:
        print(
            f"{len(times)} frames, median {statistics.median(times):.1f} ms a frame;"
            f" {len(times) / seconds:.1f} frames/s, reading and drawing included.",
            file=sys.stderr,
        )
