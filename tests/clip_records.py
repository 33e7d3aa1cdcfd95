"""Files of records of clips, to evaluate on."""

import cv2
import numpy as np

from grw_tf.data.preparation.jpeg_clips import JpegClip
from grw_tf.data.records.sequence_examples import sequence_example, write_record

CLASSES = ("a", "run, fast", 'say "hi"', "über", "e", "f")


def example_of(frames, label=1, fps=5.0, name="ä.mp4"):
    """Returns the record of a clip whose k-th frame has level 10 k."""
    pictures = [np.full((48, 64, 3), 10 * level, np.uint8) for level in range(frames)]
    jpegs = [cv2.imencode(".jpg", picture)[1].tobytes() for picture in pictures]
    clip = JpegClip(jpegs, 48, 64)
    return sequence_example(clip, label, CLASSES[label], fps, name)


def write_records(folder, *examples, labels=CLASSES):
    """Writes a file of records, and returns its path."""
    folder.mkdir(exist_ok=True)
    (folder / "labels.txt").write_text("\n".join(labels), "utf-8")
    path = folder / "test-00000-of-00001.tfrecord"
    path.write_bytes(b"")
    for example in examples:
        write_record(folder / "one", example)
        with path.open("ab") as file:
            file.write((folder / "one").read_bytes())
    return str(path)
