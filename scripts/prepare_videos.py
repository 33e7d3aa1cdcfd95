"""Converts videos to TFRecords that the Model Garden reads.

    python -m scripts.prepare_videos --input=DIR --output_dir=records
    python -m scripts.prepare_videos --csv=FILE --output_dir=records

DIR holds class folders of videos (anything FFmpeg reads), or split folders (train,
validation, test) of class folders. Writes `<split>-00000-of-0000N.tfrecord`,
`labels.txt` and `manifest.json`. Safe to kill and run again. Videos that cannot be used
are left out and listed; the exit status is then 1.
"""

import sys

from grw_tf import flags, programs
from grw_tf.data.manifest import report
from grw_tf.data.preparation import PreparationConfig, prepare

flags.define_flags(PreparationConfig, required=["output_dir"])


def main(_):
    # Names of files need not be text that the terminal can show.
    sys.stdout.reconfigure(errors="backslashreplace")
    try:
        manifest = prepare(flags.config_from_flags(PreparationConfig))
    except KeyboardInterrupt:
        sys.exit("Stopped: the same command goes on from here.")
    print(report(manifest))
    return 1 if manifest["failures"] else 0


if __name__ == "__main__":
    programs.run(main)
