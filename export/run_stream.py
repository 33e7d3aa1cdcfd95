"""Runs an exported model on a video, a camera or a network stream, frame by frame.

Runs `grw_tf.programs.stream`, as `grw-stream` does.
"""

from grw_tf.programs.console import stream

if __name__ == "__main__":
    stream()
