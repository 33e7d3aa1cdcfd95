"""Records that are not as they should be."""

import shutil

import tensorflow as tf


def copied(folder, to):
    """Copies a folder of records, but for the manifest, which would tell changes."""
    shutil.copytree(folder, to)
    (to / "manifest.json").unlink()
    return to


def change(path, edit, first=0):
    """Edits the SequenceExamples of a file in place, from the `first` one on."""
    records = list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())
    with tf.io.TFRecordWriter(str(path)) as writer:
        for number, record in enumerate(records):
            if number >= first:
                example = tf.train.SequenceExample.FromString(record)
                edit(example)
                record = example.SerializeToString()
            writer.write(record)
