"""Feeds a video to an exported model frame by frame and prints the running top 3.

python -m scripts.predict --model=runs/clips/model.tflite --video=VIDEO
"""

import time

from absl import flags

from grw_tf import programs
from grw_tf.data.clips import stream_frames
from grw_tf.streaming import StreamSession

_MODEL = flags.DEFINE_string("model", None, "Exported .tflite file.", required=True)
_VIDEO = flags.DEFINE_string("video", None, "Video or animated GIF.", required=True)


def main(_):
    session = StreamSession(_MODEL.value)
    for seconds, frame in stream_frames(_VIDEO.value, session.fps, session.size):
        start = time.perf_counter()
        session.push(frame)
        top = session.top(3)
        milliseconds = (time.perf_counter() - start) * 1e3
        classes = "  ".join(f"{name} {probability:.2f}" for name, probability in top)
        print(f"{seconds:7.2f} s  {classes}  ({milliseconds:.1f} ms)", flush=True)


if __name__ == "__main__":
    programs.run(main)
