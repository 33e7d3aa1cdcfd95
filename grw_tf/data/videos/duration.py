"""Finds how long a video lasts, without decoding it."""

import os

from grw_tf.data.videos.stream_choice import open_video


def video_seconds(path: str | os.PathLike) -> float:
    """Returns the seconds from a video's first frame to the end of its last one.

    All packets are read, since containers may state another duration, or none.

    Raises:
        ValueError: If the file holds no video, or no times.
        av.FFmpegError: If it cannot be read.
    """
    first, last = float("inf"), 0.0
    with open_video(path, threads=1) as (container, stream):
        step = 1 / float(stream.guessed_rate or stream.average_rate or 25)
        for packet in container.demux(stream):
            time = packet.pts if packet.pts is not None else packet.dts
            if time is None or not packet.size:
                continue
            unit = float(packet.time_base)
            first = min(first, time * unit)
            last = max(last, time * unit + ((packet.duration or 0) * unit or step))
    if first > last:
        raise ValueError(f"{path} has no frames with times.")
    return last - first
