"""Converts videos to TFRecords that the Model Garden reads.

    python -m scripts.prepare_videos --input=DIR --output_dir=records
    python -m scripts.prepare_videos --csv=FILE --output_dir=records

DIR holds class folders of videos (anything FFmpeg reads), or split folders (train,
validation, test, or other usual names of them) of class folders. Writes
`<split>-00000-of-0000N.tfrecord`, `labels.txt` and `manifest.json`. Safe to kill and
run again.

What DIR holds besides is counted, named, and listed in `left_out.csv`. The exit status
is 1 if a video cannot be used, or if a file is left out that was perhaps meant to be
used (`grw_tf.data.listing.left_out` lists which); the records are written all the same.
Other files, such as texts, pictures and hidden files, do not change it.
"""

import sys

from grw_tf.common import flags, programs
from grw_tf.data.preparation.config import PreparationConfig
from grw_tf.data.preparation.manifest import report
from grw_tf.data.preparation.prepare import prepare

flags.define_flags(PreparationConfig, required=["output_dir"])


def main(_):
    # Names of files need not be text that the terminal can show.
    sys.stdout.reconfigure(errors="backslashreplace")
    try:
        manifest = prepare(flags.config_from_flags(PreparationConfig))
    except KeyboardInterrupt:
        sys.exit("Stopped: the same command goes on from here.")
    print(report(manifest))
    lost = any(part["is_fault"] for part in manifest["left_out"])
    return 1 if manifest["failures"] or lost else 0


if __name__ == "__main__":
    programs.run(main)
