"""Converts videos to TFRecords that the Model Garden reads.

Runs `grw_tf.programs.prepare`, as `grw-prepare` does.
"""

from grw_tf.programs.console import prepare

if __name__ == "__main__":
    prepare()
